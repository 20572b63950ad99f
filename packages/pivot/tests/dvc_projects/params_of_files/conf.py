FOLDS = 5


class Train:
    batch = 32
