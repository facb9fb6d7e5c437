#!/bin/bash
# tiny_dnn::adam corrects its first step as if it were the second, and counts a step for each array of weights.
#
# Versions:  tiny-dnn 1.0.0a3, as Debian 12 packages it (1.0.0a3+ds-3), with libcereal-dev 1.3.2.
# Behaviour: the first step with alpha=0.001 and a gradient of 1 is 0.74 alpha long, not alpha. With two arrays of
#            weights, as every layer with a bias has, the second array is corrected as if it were in step 3: the
#            same gradient moves it by 0.64 alpha. A network of 20 arrays corrects its second step with b**22 to
#            b**41.
# Source:    tiny_dnn/optimizers/optimizer.h, struct adam: b1_t and b2_t begin at b1 and b2 and are multiplied by
#            b1 and b2 before their first use, in update, which is called once for each array.
# Advice:    Let the powers begin at 1, and keep them beside the moments of each array.
#
# Exit status: 0 as described, 1 changed, 2 the packages are not there.
set -eu
home=$(mktemp -d)
trap 'rm -rf "$home"' EXIT
cd "$home"
apt-get download -q tiny-dnn=1.0.0a3+ds-3 libcereal-dev || exit 2
for package in *.deb; do dpkg -x "$package" .; done
cat > program.cpp <<'PROGRAM'
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <tiny_dnn/optimizers/optimizer.h>

int main() {
    tiny_dnn::adam adam;
    tiny_dnn::vec_t weights{0}, bias{0}, gradient{1};
    adam.update(gradient, weights, false);
    adam.update(gradient, bias, false);
    double first = -weights[0] / adam.alpha, second = -bias[0] / adam.alpha;
    std::printf("first step of the weights: %.4f alpha, of the bias: %.4f alpha; Adam's is 1\n", first, second);
    auto corrected = [](int t) { return 0.1 / (1 - std::pow(0.9, t)) / std::sqrt(0.001 / (1 - std::pow(0.999, t))); };
    if (std::abs(first - corrected(2)) > 1e-3 || std::abs(second - corrected(3)) > 1e-3) {
        std::puts("CHANGED: they are not those of steps 2 and 3");
        return 1;
    }
    std::puts("as described: they are corrected as steps 2 and 3");
}
PROGRAM
g++ -O1 -std=c++14 -I usr/include program.cpp -o program -lpthread || exit 2
./program
