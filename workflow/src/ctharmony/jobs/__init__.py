"""The work of the rules, stage by stage: files in, the numeric packages, files out.

The rules' scripts alone call it; nothing else of the library does.
"""
