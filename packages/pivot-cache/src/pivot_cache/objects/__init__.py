"""The object store: bytes by digest.

Files and directories enter it (`ingest`) and are restored from it (`checkout`); saved user files and the trash are
here, too. The choice of objects to delete is in `maintenance`.
"""
