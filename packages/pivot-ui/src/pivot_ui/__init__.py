"""The page of a project, which `pivot ui` serves on this machine or writes as files. It changes nothing by itself."""
