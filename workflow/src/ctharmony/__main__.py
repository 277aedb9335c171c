"""`python -m ctharmony`: begin a study, check it, see how far it is."""

from ctharmony.commands import main

if __name__ == "__main__":
    raise SystemExit(main())
