// SPDX-License-Identifier: Apache-2.0
#include <gtest/gtest.h>

#include "models/formula.h"
#include "namid/models/mi_networks.h"
#include "namid/models/resnet.h"
#include "namid/models/vgg.h"
#include "namid/models/wideresnet.h"

namespace namid::models {
namespace {

constexpr double kLastDigit = 1e-8;  // one unit of the last printed digit

const std::vector<double> kEvalLogits{
    0.59025566, -0.9672264, -1.79304008, -1.19635664, 0.34469795,  1.57661979,  1.50497474,
    0.21400098, -1.2064833, -1.56591818, 0.59024428,  -0.96733784, -1.79315934, -1.19638502,
    0.34478394, 1.57674897, 1.50504021,  0.21394855,  -1.20661024, -1.56601458};
const std::vector<double> kTrainLogits{
    -0.23799507, -1.19964255, -1.23727218, -0.31236263, 0.82531762, 1.25610045,  0.64858075,
    -0.4695092,  -1.15143122, -0.81786538, 0.25225721,  -1.3121427, -1.85941875, -0.92926217,
    0.72421607,  1.75446933,  1.33396603,  -0.16433783, -1.479036,  -1.50711799};

TEST(Golden, ResNet18InEvalAndTrainMode) {
  const torch::NoGradGuard no_grad;
  const auto network = make_resnet(18, 0, {{3, 32, 32}, 10});
  fill_by_formula(*network);
  const auto x = golden_wave({2, 3, 32, 32});
  network->eval();
  expect_values("eval_logits", network->forward(x, Layer::logits), kEvalLogits, kLastDigit);
  network->train();
  expect_values("train_logits", network->forward(x, Layer::logits), kTrainLogits, kLastDigit);
  const auto buffers = network->named_buffers();
  expect_values("running_mean", buffers["bn1.running_mean"], {0.07060917, -0.05589349, 0.02379154},
                kLastDigit);
  expect_values("running_var", buffers["bn1.running_var"], {0.907444, 0.90643454, 0.90500992},
                kLastDigit);
  EXPECT_EQ(buffers["bn1.num_batches_tracked"].item<std::int64_t>(), 1);
}

TEST(Golden, LocalNetOf2048Units) {
  const torch::NoGradGuard no_grad;
  const auto network = make_local_net(3, 2048);
  fill_by_formula(*network);
  network->eval();
  const auto out = network->forward(golden_wave({2, 3, 32, 32}), Layer::logits);
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{2, 2048, 8, 8}));
  expect_values("output", out.select(0, 0).select(1, 0).select(1, 0),
                {0.30974351, 0.36670371, -1.22506005}, kLastDigit);
  expect_values("absolute_sum", out.abs().sum(), {232820.17666654}, 232820 * 1e-9);
}

TEST(Golden, GlobalNetOnLogits) {
  const torch::NoGradGuard no_grad;
  const auto classifier = make_resnet(18, 0, {{3, 32, 32}, 10});
  const auto network = make_global_net(Layer::logits, 10, 2048);
  fill_by_formula(*classifier);
  fill_by_formula(*network);
  classifier->eval();
  network->eval();
  const auto logits = classifier->forward(golden_wave({2, 3, 32, 32}), Layer::logits);
  const auto out = network->forward(logits, Layer::logits);
  EXPECT_EQ(out.sizes(), (std::vector<std::int64_t>{2, 2048, 1, 1}));
  expect_values("output", out, {0.27915255, 0.53488082, -1.39131015}, kLastDigit);
  expect_values("absolute_sum", out.abs().sum(), {3647.53716906}, 3647.5 * 1e-9);
}

struct Reference {
  std::string name;
  std::function<std::shared_ptr<Network>()> make;
  std::vector<std::int64_t> input;
  std::vector<double> eval, train;  // last sample, first four outputs; reference_values.py
};

class ReferenceValues : public ::testing::TestWithParam<Reference> {};

TEST_P(ReferenceValues, AgreeWithPlainPyTorchInBothModes) {
  const torch::NoGradGuard no_grad;
  const auto& param = GetParam();
  const auto network = param.make();
  fill_by_formula(*network);
  const auto x = golden_wave(param.input);
  network->eval();
  expect_values("eval", network->forward(x, Layer::logits)[-1], param.eval, 1e-9);
  network->train();
  expect_values("train", network->forward(x, Layer::logits)[-1], param.train, 1e-9);
}

INSTANTIATE_TEST_SUITE_P(
    Networks, ReferenceValues,
    ::testing::Values(Reference{"wideresnet_16_2",
                                [] {
                                  return make_wideresnet(16, 2, false, {{3, 32, 32}, 4});
                                },
                                {3, 3, 32, 32},
                                {0.0999261666, -0.1585323459, -0.0105896702, 0.0877295111},
                                {-0.1379905196, 0.0815297930, -0.2394763293, 0.2927398797}},
                      Reference{"preactresnet18",
                                [] {
                                  return make_preact_resnet18({{3, 32, 32}, 4, 8});
                                },
                                {3, 3, 32, 32},
                                {-35.5390178408, -9.9869407902, 33.0359286925, 17.6511112939},
                                {-0.1480893082, 0.0893345294, 0.0185890703, -0.2027989840}},
                      Reference{"resnet50",
                                [] {
                                  return make_resnet(50, 0, {{3, 32, 32}, 4, 4});
                                },
                                {3, 3, 32, 32},
                                {4.6183218044, -0.0023169716, -4.6702783307, 8.8948574810},
                                {-0.3436232069, 0.4840449310, -0.6540691367, 0.5989347055}},
                      Reference{"vgg11",
                                [] {
                                  return make_vgg(11, {{3, 32, 32}, 4, 8});
                                },
                                {3, 3, 32, 32},
                                {-0.0523095153, 0.3841819137, 0.2938974536, -0.1961164634},
                                {-0.3704221587, 3.1795852123, 1.2705012615, -2.7614688856}},
                      Reference{"global_internal",
                                [] { return make_global_net(Layer::internal, 4, 16); },
                                {3, 4, 8, 8},
                                {-1.1627062165, -0.7696142737, -0.2864078247, 0.2435326530},
                                {1.3617449072, 1.2259737968, 0.9535430705, 0.5602488523}},
                      Reference{"global_internal_last",
                                [] { return make_global_net(Layer::internal_last, 4, 16); },
                                {3, 4, 4, 4},
                                {-1.1111427197, -0.6154518850, -0.0699869611, 0.4367405981},
                                {1.5449735976, 1.6196393672, 1.4750455668, 1.1445107494}}),
    [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace namid::models
