// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/micro_batches.h"

#include <gtest/gtest.h>

#include "engine/models.h"
#include "namid/core/error.h"
#include "namid/engine/compile.h"

namespace namid::engine {
namespace {

constexpr std::int64_t kQuarterMebibyte = 1 << 18;

Network limited(std::int64_t memory_limit) {
  const auto model = unlike_fresh({.model = "resnet18", .width = 16}, {3, 16, 16});
  return Network(make_plan(models::describe(model)), Kernel::automatic, memory_limit);
}

at::Tensor small_images(std::int64_t rows) {
  return images(rows, {3, 16, 16});
}

TEST(MicroBatches, GiveTheResultsOfTheWholeBatch) {
  const auto network = limited(0), narrow = limited(kQuarterMebibyte);
  const auto x = small_images(13), along = direction(13, 10);
  std::vector<Trace> whole, pieces;
  const auto logits = forward_in_pieces(network, x, &whole);
  EXPECT_EQ(whole.size(), 1);
  EXPECT_THROW(narrow.forward(x), ResourceError);
  EXPECT_LE(relative_gap(forward_in_pieces(narrow, x, &pieces), logits), 1e-6);
  EXPECT_GT(pieces.size(), 1);
  std::int64_t rows = 0;
  for (const auto& piece : pieces) rows += piece.rows;
  EXPECT_EQ(rows, 13);
  EXPECT_LE(relative_gap(input_gradient_in_pieces(narrow, x, pieces, along),
                         input_gradient_in_pieces(network, x, whole, along)),
            1e-6);
  EXPECT_LE(relative_gap(forward_in_pieces(narrow, x), logits), 1e-6);
}

TEST(MicroBatches, AGradientThatFindsNoMemoryGoesForwardsAgain) {
  const auto network = limited(0), narrow = limited(kQuarterMebibyte);
  const auto x = small_images(9), along = direction(9, 10);
  std::vector<Trace> whole;
  forward_in_pieces(network, x, &whole);  // traces fit any network of the same plan
  EXPECT_THROW(narrow.input_gradient(whole.front(), along), ResourceError);
  EXPECT_LE(relative_gap(input_gradient_in_pieces(narrow, x, whole, along),
                         network.input_gradient(whole.front(), along)),
            1e-6);
}

TEST(MicroBatches, ARowThatFindsNoMemoryIsAnError) {
  const auto narrow = limited(1024);
  EXPECT_THROW(forward_in_pieces(narrow, small_images(4)), ResourceError);
}

TEST(MicroBatches, ServeACompiledModel) {
  const auto model = unlike_fresh({.model = "resnet18", .width = 16}, {3, 16, 16});
  const auto frozen = model.frozen_eval();
  const auto x = small_images(12), along = direction(12, 10);
  const auto expected = pass(compile(model), x, along);
  const auto found = pass(compile(model, {.memory_limit = kQuarterMebibyte}), x, along);
  EXPECT_LE(relative_gap(found.logits, expected.logits), 1e-6);
  EXPECT_LE(relative_gap(found.gradient, expected.gradient), 1e-6);
}

}  // namespace
}  // namespace namid::engine
