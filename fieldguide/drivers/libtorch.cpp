// torch::optim of libtorch behind some functions of C, for libtorch_adam.py.
#include <memory>
#include <vector>

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>

struct Run {
    std::vector<torch::Tensor> params;
    std::unique_ptr<torch::optim::Optimizer> optimizer;
};

template <class Optimizer, class Options>
void make(Run *run, double lr, double b1, double b2, double eps, double weight_decay) {
    auto options = Options(lr).betas(std::make_tuple(b1, b2)).eps(eps).weight_decay(weight_decay);
    run->optimizer = std::make_unique<Optimizer>(run->params, options);
}

static torch::Tensor tensor(const void *data, int size, bool is_double) {
    auto dtype = is_double ? torch::kFloat64 : torch::kFloat32;
    return torch::from_blob(const_cast<void *>(data), {size}, dtype).clone();
}

extern "C" {

void *run_new() { return new Run; }

void run_add(void *made, const void *values, int size, bool is_double) {
    static_cast<Run *>(made)->params.push_back(tensor(values, size, is_double).requires_grad_());
}

void run_make(
    void *made, bool decoupled, double lr, double b1, double b2, double eps, double weight_decay) {
    Run *run = static_cast<Run *>(made);
    if (decoupled) {
        make<torch::optim::AdamW, torch::optim::AdamWOptions>(run, lr, b1, b2, eps, weight_decay);
    } else {
        make<torch::optim::Adam, torch::optim::AdamOptions>(run, lr, b1, b2, eps, weight_decay);
    }
}

void run_set_lr(void *made, double lr) {
    for (auto &group : static_cast<Run *>(made)->optimizer->param_groups()) group.options().set_lr(lr);
}

// A gradient that is not given is undefined.
void run_gradient(void *made, int which, const void *values, int size, bool is_double) {
    auto &grad = static_cast<Run *>(made)->params[which].mutable_grad();
    grad = values ? tensor(values, size, is_double) : torch::Tensor();
}

void run_step(void *made) { static_cast<Run *>(made)->optimizer->step(); }

void run_read(void *made, int which, void *after) {
    auto p = static_cast<Run *>(made)->params[which].detach();
    memcpy(after, p.data_ptr(), p.nbytes());
}

void run_delete(void *made) { delete static_cast<Run *>(made); }

}
