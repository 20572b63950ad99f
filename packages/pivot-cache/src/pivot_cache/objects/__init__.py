"""The object store: bytes by digest.

Files and directories come in (`ingest`), go out (`checkout`), are kept beside the workspace or wait in the trash.
Which objects may be deleted is decided in `maintenance`.
"""
