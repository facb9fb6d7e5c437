// dlib::adam behind three functions of C, for dlib_adam.py.
#include <algorithm>
#include <deque>

#include <dlib/dnn.h>

struct Parameter {
    dlib::adam adam;
    dlib::resizable_tensor values;
    const dlib::tensor &get_layer_params() const { return values; }
};

namespace dlib {
double get_learning_rate_multiplier(const Parameter &) { return 1.0; }
double get_weight_decay_multiplier(const Parameter &) { return 1.0; }
}

struct Run {
    float lr, b1, b2, decay;
    std::deque<Parameter> parameters;
};

extern "C" {

void *adam_new(float lr, float b1, float b2, float decay) { return new Run{lr, b1, b2, decay, {}}; }

void adam_add(void *made, const float *values, int size) {
    Run *run = static_cast<Run *>(made);
    run->parameters.emplace_back();
    Parameter &parameter = run->parameters.back();
    parameter.adam = dlib::adam(run->decay, run->b1, run->b2);
    parameter.values.set_size(size);
    std::copy(values, values + size, parameter.values.host());
}

void adam_lr(void *made, float lr) { static_cast<Run *>(made)->lr = lr; }

void adam_step(void *made, int which, const float *grads, float *after, int size) {
    Run *run = static_cast<Run *>(made);
    Parameter &parameter = run->parameters[which];
    dlib::resizable_tensor gradient;
    gradient.set_size(size);
    std::copy(grads, grads + size, gradient.host());
    const dlib::tensor &step = parameter.adam(run->lr, parameter, gradient);
    dlib::tt::add(parameter.values, parameter.values, step);
    std::copy_n(parameter.values.host(), size, after);
}

}
