// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/set_check.h"

#include <limits>
#include <nlohmann/json.hpp>

#include "eval/toy.h"
#include "namid/core/error.h"

namespace namid::eval {
namespace {

using attacks::Norm;

constexpr double kCheckedEpsilon = 0.125;

/// Eight images that the strongest attack broke all, and nothing wrong with the set.
struct Honest {
  models::Classifier model = toy_model();
  data::Dataset dataset = toy_data(8);
  at::Tensor x = dataset.images.to(at::kFloat) / 255;
  AdversarialSet set{.file = "set",
                     .shape = {8, 1, 2, 3},
                     .x_adv = strongest(x, dataset.labels, kCheckedEpsilon),
                     .y = dataset.labels.clone(),
                     .index = at::arange(1000, 1008, at::kLong),
                     .success = {}};
  Honest() { set.success = model(set.x_adv).argmax(1).ne(set.y); }

  std::vector<CheckedRow> check(std::int64_t compute_batch = 3, bool cast = false) const {
    return check_set({model, dataset, {Norm::linf, kCheckedEpsilon}, compute_batch, cast}, set);
  }
  /// A row that is claimed, and classified correctly without the attack.
  std::int64_t good() const {
    const auto correct = model(x).argmax(1).eq(dataset.labels);
    return (set.success & correct).nonzero()[0][0].item<std::int64_t>();
  }
};

/// Only `row` fails, with `part` in its problem.
void expect_one_failure(const std::vector<CheckedRow>& claims, std::int64_t row,
                        const std::string& part) {
  for (const auto& claim : claims) {
    EXPECT_EQ(!claim.claimed || claim.holds(), claim.row != row) << claim.row << claim.problem;
    if (claim.row == row) {
      EXPECT_HAS(claim.problem, part);
    }
  }
  EXPECT_EQ(count_rows(claims).failed(), 1);
}

TEST(SetCheck, AnHonestSetHoldsWhateverTheComputeBatch) {
  const Honest honest;
  for (const std::int64_t batch : {1, 3, 8, 50}) {
    const auto claims = honest.check(batch);
    const auto counts = count_rows(claims);
    EXPECT_EQ(counts.claimed, honest.set.success.sum().item<std::int64_t>());
    EXPECT_GE(counts.claimed, 4);
    EXPECT_EQ(counts.failed(), 0);
    EXPECT_EQ(counts.understated, 0);
    EXPECT_EQ(counts.images, 8);
    EXPECT_EQ(counts.broken_images, counts.claimed);
    for (const auto& claim : claims) EXPECT_NEAR(claim.verdict->linf, kCheckedEpsilon, 1e-6);
  }
}

TEST(SetCheck, OneImageOutOfTheBallIsFound) {
  Honest honest;
  const auto row = honest.good();
  auto pixel = honest.set.x_adv[row].flatten()[0];
  const double sign = honest.x[row].flatten()[0].item<double>() < pixel.item<double>() ? 1 : -1;
  pixel.add_(sign * 1e-3);
  expect_one_failure(honest.check(), row, "outside the ball: linf 0.126 exceeds 0.125 by 0.001");
}

TEST(SetCheck, OneImageOutOfTheBoxIsFound) {
  Honest honest;
  const auto row = honest.good();
  honest.dataset.images[row].flatten()[0] = 250;
  honest.set.x_adv[row].flatten()[0] = 1.0625f;
  expect_one_failure(honest.check(), row, "outside the box [0,1] by 0.0625");
}

TEST(SetCheck, NaNIsFoundAndWrittenAsNull) {
  Honest honest;
  const auto row = honest.good();
  honest.set.x_adv[row].flatten()[2] = std::numeric_limits<float>::quiet_NaN();
  const auto claims = honest.check();
  expect_one_failure(claims, row, "not finite");
  EXPECT_TRUE(row_json(claims[static_cast<std::size_t>(row)])["margin"].is_null());
}

TEST(SetCheck, AWrongLabelIsFoundAndTheImageIsJudgedByTheDataSets) {
  Honest honest;
  const auto row = honest.good();
  honest.set.y[row] = 1 - honest.set.y[row];
  const auto claims = honest.check();
  const auto label = honest.dataset.labels[row].item<std::int64_t>();
  expect_one_failure(claims, row, str("label ", 1 - label, ": the data set says ", label));
  EXPECT_TRUE(claims[static_cast<std::size_t>(row)].verdict->broken());
  EXPECT_EQ(count_rows(claims).broken_images, honest.set.success.sum().item<std::int64_t>() - 1);
}

TEST(SetCheck, AnUnknownIndexAndOneThatStandsTwiceAreFound) {
  Honest honest;
  const auto row = honest.good();
  honest.set.index[row] = 1008;
  expect_one_failure(honest.check(), row, "index 1008: no such sample among the data set's 8");
  EXPECT_EQ(count_rows(honest.check()).images, 7);
  Honest twice;
  twice.set.x_adv[7] = twice.set.x_adv[row];
  twice.set.y[7] = twice.set.y[row];
  twice.set.success[7] = true;
  twice.set.index[7] = 1000 + row;
  expect_one_failure(twice.check(), 7, str("index ", 1000 + row, ": stands in row ", row));
}

TEST(SetCheck, Float64IsAFailedClaimUnlessItIsCast) {
  Honest honest;
  honest.set.dtype = "float64";
  honest.set.x_adv = honest.set.x_adv.to(at::kDouble);
  const auto refused = honest.check();
  for (const auto& claim : refused) {
    EXPECT_HAS(claim.problem, "dtype float64: expected float32");
    EXPECT_FALSE(claim.verdict.has_value());
  }
  EXPECT_EQ(count_rows(refused).confirmed, 0);
  EXPECT_EQ(count_rows(refused).broken_images, 0);
  EXPECT_EQ(count_rows(honest.check(3, true)).failed(), 0);
}

TEST(SetCheck, IntegerImagesAndAnotherShapeFailInEveryRowWithTheFix) {
  Honest honest;
  honest.set.dtype = "uint8";
  honest.set.x_adv = at::Tensor();
  for (const auto& claim : honest.check(3, true))
    EXPECT_HAS(claim.problem, "(x.astype('float32') / 255)");
  Honest turned;
  turned.set.shape = {8, 2, 3, 1};
  turned.set.x_adv = turned.set.x_adv.view({8, 2, 3, 1});
  for (const auto& claim : turned.check())
    EXPECT_HAS(claim.problem, "shape (2, 3, 1): the data set's images have (1, 2, 3)");
}

TEST(SetCheck, RowsThatClaimNothingCannotFailButCountWhenTheyFool) {
  Honest honest;
  const auto claimed = honest.set.success.sum().item<std::int64_t>();
  honest.set.success[honest.good()] = false;
  const auto counts = count_rows(honest.check());
  EXPECT_EQ(counts.failed(), 0);
  EXPECT_EQ(counts.claimed, claimed - 1);
  EXPECT_EQ(counts.understated, 1);
  EXPECT_EQ(counts.broken_images, claimed);
}

TEST(SetCheck, ATargetMustBeMet) {
  Honest honest;
  honest.set.target = 1 - honest.set.y;
  EXPECT_EQ(count_rows(honest.check()).failed(), 0);
  const auto row = honest.good();
  honest.set.target[row] = honest.set.y[row];
  const auto claims = honest.check();
  expect_one_failure(claims, row, "missed: the model says");
  EXPECT_EQ(count_rows(claims).broken_images, honest.set.success.sum().item<std::int64_t>());
}

// Published attacks report success flags that a second look at the returned images contradicts.
TEST(SetCheckPitfalls, TheSuccessFlagIsNeverBelieved) {
  Honest honest;
  honest.set.x_adv = honest.x.clone();
  honest.set.success.fill_(true);
  const auto wrong = honest.model(honest.x).argmax(1).ne(honest.dataset.labels);
  const auto counts = count_rows(honest.check());
  EXPECT_EQ(counts.claimed, 8);
  EXPECT_EQ(counts.confirmed, wrong.sum().item<std::int64_t>());
  EXPECT_GT(counts.failed(), 0);
}

// A perturbation of less than half a grey level is gone once the image is stored as a picture.
TEST(SetCheckPitfalls, AnImageThatRoundingUndoesFailsInTheEightBitColumnAlone) {
  Honest honest;
  const auto count = [&] { return count_rows(honest.check()); };
  EXPECT_EQ(count().eight_bit, count().confirmed);
  const auto row = honest.good();
  const auto steps = at::linspace(0, 1, 4096).view({-1, 1, 1, 1});
  const auto path = honest.x[row] + steps * (honest.set.x_adv[row] - honest.x[row]);
  const auto fooled = honest.model(path).argmax(1).ne(honest.dataset.labels[row]);
  const auto first = fooled.nonzero()[0][0].item<std::int64_t>();
  bool found = false;  // just behind the boundary: its grid neighbour may lie on either side
  for (auto at = first; at < first + 40 && !found; ++at) {
    honest.set.x_adv[row] = path[at];
    found = count().eight_bit < count().confirmed;
  }
  EXPECT_TRUE(found);
  EXPECT_EQ(count().failed(), 0);
}

TEST(SetCheck, DataThatDoNotFitTheModelAreRefused) {
  Honest honest;
  honest.dataset.labels[0] = 2;
  EXPECT_THROW(honest.check(), OptionError);
}

}  // namespace
}  // namespace namid::eval
