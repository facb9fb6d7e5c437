// tiny_dnn::adam behind three functions of C, for tiny_dnn_adam.py.
#include <algorithm>
#include <deque>

#include <tiny_dnn/optimizers/optimizer.h>

struct Run {
    tiny_dnn::adam adam;
    std::deque<tiny_dnn::vec_t> weights;  // the moments are found by a weight's address
};

extern "C" {

// b1_t and b2_t are the powers that it keeps; they begin at its default betas, so they are set with them.
void *adam_new(float lr, float b1, float b2) {
    Run *run = new Run;
    run->adam.alpha = lr;
    run->adam.b1 = run->adam.b1_t = b1;
    run->adam.b2 = run->adam.b2_t = b2;
    return run;
}

void adam_add(void *made, const float *values, int size) {
    static_cast<Run *>(made)->weights.emplace_back(values, values + size);
}

void adam_step(void *made, int which, const float *grads, float *after, int size) {
    Run *run = static_cast<Run *>(made);
    tiny_dnn::vec_t &weight = run->weights[which], gradient(grads, grads + size);
    run->adam.update(gradient, weight, false);
    std::copy(weight.begin(), weight.end(), after);
}

}
