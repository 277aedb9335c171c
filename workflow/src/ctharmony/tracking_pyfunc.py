"""The harmonizer as MLflow sees it. MLflow keeps this file with the model, never a pickle."""

import mlflow
import pandas as pd

from ctharmony.harmonizer import Harmonizer, harmonize_file


class HarmonizerModel(mlflow.pyfunc.PythonModel):
    """`predict` takes a table of NIfTI files and writes their harmonized versions."""

    def load_context(self, context) -> None:
        """Read the harmonizer that lies with the model."""
        self.harmonizer = Harmonizer.load(context.artifacts["harmonizer"])

    def predict(self, context, model_input, params=None) -> pd.DataFrame:
        """Columns path, site (may be missing) and output in; path, output, status, reason out."""
        rows = [
            harmonize_file(self.harmonizer, row["path"], _site(row), row["output"])
            for row in model_input.to_dict("records")
        ]
        return pd.DataFrame(rows)


def _site(row) -> str | None:
    site = row.get("site")
    return None if site is None or site != site or site == "" else str(site)


mlflow.models.set_model(HarmonizerModel())
