// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/adversarial_set.h"

#include "eval/toy.h"
#include "namid/core/error.h"
#include "namid/io/npz.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using attacks::Norm;
using testing::TempFolder;

AdversarialSet example() {
  return {.file = "",
          .shape = {2, 1, 2, 3},
          .x_adv = at::arange(12, at::kFloat).view({2, 1, 2, 3}) / 16,
          .y = at::tensor({3, 4}, at::kLong),
          .index = at::tensor({7, 5}, at::kLong),
          .success = at::tensor({1, 0}, at::kLong).to(at::kBool),
          .target = at::tensor({4, 5}, at::kLong),
          .norm = Norm::l2,
          .epsilon = 0.1,
          .attack = "pgd",
          .options = "steps=10",
          .model_sha256 = "ab",
          .data_sha256 = "cd"};
}

io::NpyArray floats(std::vector<std::int64_t> shape, double first = 0.5) {
  std::vector<float> values(static_cast<std::size_t>(shape[0]), static_cast<float>(first));
  for (std::size_t d = 1; d < shape.size(); ++d)
    values.resize(values.size() * static_cast<std::size_t>(shape[d]), static_cast<float>(first));
  return io::npy_array<float>(std::move(shape), values);
}

io::NpyArray integers(const std::vector<std::int64_t>& values) {
  return io::npy_array<std::int64_t>({static_cast<std::int64_t>(values.size())}, values);
}

TEST(AdversarialSet, ReadsBackWhatItWrites) {
  const TempFolder folder;
  const auto set = example();
  write_adversarial_set(folder / "a.npz", set);
  const auto read = read_adversarial_set(folder / "a.npz");
  EXPECT_EQ(read.dtype, "float32");
  EXPECT_EQ(read.shape, set.shape);
  EXPECT_TRUE(at::equal(read.x_adv, set.x_adv));
  EXPECT_TRUE(at::equal(read.y, set.y) && at::equal(read.index, set.index));
  EXPECT_TRUE(at::equal(read.success, set.success) && at::equal(read.target, set.target));
  EXPECT_EQ(read.norm, set.norm);
  EXPECT_EQ(read.epsilon, set.epsilon);
  EXPECT_EQ(read.attack + read.options + read.model_sha256 + read.data_sha256, "pgdsteps=10abcd");
  write_adversarial_set(folder / "b.npz", read);
  EXPECT_EQ(io::read_file(folder / "a.npz"), io::read_file(folder / "b.npz"));
}

TEST(AdversarialSet, ImagesAndLabelsAreEnough) {
  const TempFolder folder;
  io::write_npz(folder / "a.npz", {{"x_adv", floats({3, 2})}, {"y", integers({0, 1, 0})}});
  const auto set = read_adversarial_set(folder / "a.npz");
  EXPECT_TRUE(at::equal(set.index, at::arange(3, at::kLong)));
  EXPECT_TRUE(set.success.all().item<bool>());
  EXPECT_FALSE(set.norm || set.epsilon || set.target.defined());
}

TEST(AdversarialSet, KeepsTheDtypeOfTheFile) {
  const TempFolder folder;
  const std::vector<double> values{0.1, 0.2};
  io::write_npz(folder / "a.npz",
                {{"x_adv", io::npy_array<double>({2, 1}, values)}, {"y", integers({0, 1})}});
  const auto wide = read_adversarial_set(folder / "a.npz");
  EXPECT_EQ(wide.dtype, "float64");
  EXPECT_EQ(wide.x_adv[1][0].item<double>(), 0.2);
  const std::vector<std::uint8_t> bytes{1, 2};
  io::write_npz(folder / "b.npz",
                {{"x_adv", io::npy_array<std::uint8_t>({2, 1}, bytes)}, {"y", integers({0, 1})}});
  EXPECT_EQ(read_adversarial_set(folder / "b.npz").dtype, "uint8");
}

TEST(AdversarialSet, NormIsReadInAnyCase) {
  const TempFolder folder;
  io::write_npz(folder / "a.npz",
                {{"x_adv", floats({1, 2})}, {"y", integers({0})}, {"norm", io::npy_text("Linf")}});
  EXPECT_EQ(read_adversarial_set(folder / "a.npz").norm, Norm::linf);
}

TEST(AdversarialSet, DamagedFilesAreNamedWithTheArray) {
  const TempFolder folder;
  const auto path = folder / "a.npz";
  const auto message = [&](const io::NpzMembers& members) {
    io::write_npz(path, members);
    return message_of<DataError>([&] { read_adversarial_set(path); });
  };
  EXPECT_HAS(message({{"x", floats({1, 2})}}), "expected an array 'x_adv'; there are: x");
  EXPECT_HAS(message({{"x_adv", floats({1, 2})}}), "expected an array 'y'");
  EXPECT_HAS(message({{"x_adv", floats({2})}, {"y", integers({0, 1})}}),
             "expected images (N, ...)");
  EXPECT_HAS(message({{"x_adv", floats({2, 1})}, {"y", integers({0})}}),
             "a.npz[y.npy]: expected one number per image, 2 in all");
  const auto with = [&](const std::string& name, const io::NpzMember& member) {
    return message({{"x_adv", floats({1, 2})}, {"y", integers({0})}, {name, member}});
  };
  EXPECT_HAS(with("norm", io::npy_text("l3")),
             "a.npz[norm.npy]: expected linf, l2, l1, l0, wasserstein or none, got 'l3'");
  EXPECT_HAS(with("norm", integers({2})), "expected a dtype of text");
  EXPECT_HAS(with("epsilon", floats({1}, -1)), "a.npz[epsilon.npy]: expected a number ≥ 0, got -1");
  EXPECT_HAS(with("epsilon", floats({2})), "expected one number, got 2");
  EXPECT_HAS(with("success", integers({1, 1})), "a.npz[success.npy]");
  EXPECT_HAS(with("index", floats({1}, 0.5)), "a.npz[index.npy]: element 0: expected an integer");
  EXPECT_HAS(message_of<DataError>([&] { read_adversarial_set(folder / "none.npz"); }), "none.npz");
}

}  // namespace
}  // namespace namid::eval
