"""Reading and writing: DICOM, NIfTI, tables. The only package besides scripts that touches disk."""
