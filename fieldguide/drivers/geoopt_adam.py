"""geoopt's RiemannianAdam, whose constructor passes on what it is given, with the arguments by name."""

from geoopt.optim import RiemannianAdam


class Adam(RiemannianAdam):
    def __init__(self, params, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0):
        super().__init__(params, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay)
