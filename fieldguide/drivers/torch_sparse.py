"""torch.optim.SparseAdam, given gradients that have every row, so that it steps as a dense Adam would."""

import torch


class SparseAdam(torch.optim.SparseAdam):
    def step(self, closure=None):
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        given = [p for group in self.param_groups for p in group["params"] if p.grad is not None]
        dense = [p.grad for p in given]
        for p, g in zip(given, dense):
            p.grad = sparse(g)
        try:
            super().step()
        finally:
            for p, g in zip(given, dense):
                p.grad = g
        return loss


def sparse(g):
    """Return a gradient with all its rows; of a 0-d one, its only number."""
    if g.ndim:
        return torch.sparse_coo_tensor(torch.arange(len(g))[None], g, g.shape)
    return torch.sparse_coo_tensor(torch.zeros(0, 1, dtype=torch.long), g[None], ())
