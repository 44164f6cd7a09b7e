// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/evaluation.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <optional>
#include <set>

#include <ATen/Parallel.h>

#include "eval/toy.h"
#include "namid/core/error.h"
#include "namid/run/tensor_file.h"
#include "support/temp_folder.h"

namespace namid::eval {
namespace {

using json = nlohmann::json;

constexpr double kEvaluationEpsilon = 0.1;

/// Margins z_y − z_other of the toy data under the toy model, in float64.
std::vector<double> margins(const data::Dataset& dataset) {
  const auto x = dataset.images.to(at::kDouble).flatten(1) / 255;
  const auto z = (x * toy_weight().to(at::kDouble)).sum(1) + kToyBias;
  std::vector<double> out;
  for (std::int64_t i = 0; i < dataset.size(); ++i)
    out.push_back((dataset.labels[i].item<std::int64_t>() == 1 ? 1 : -1) * z[i].item<double>());
  return out;
}

std::int64_t count_above(const std::vector<double>& values, double bound) {
  std::int64_t count = 0;
  for (const double value : values) {
    EXPECT_GT(std::abs(value - bound), 1e-5) << "the toy data must not sit on the boundary";
    count += value > bound;
  }
  return count;
}

class EvaluationTest : public ::testing::Test {
 protected:
  json run(const AttackEntry& attack, const std::string& folder = "run", bool resume = false) {
    return run_model(model_, attack, folder, resume);
  }
  json run_model(const models::Classifier& model, const AttackEntry& attack,
                 const std::string& folder = "run", bool resume = false) {
    std::filesystem::create_directories(temp_ / folder);
    return evaluate_with({.model = model,
                          .dataset = dataset_,
                          .options = options_,
                          .folder = temp_ / folder,
                          .resume = resume,
                          .stop = &*stop_,
                          .progress = progress_},
                         {.name = "toy", .attacks = {attack}});
  }
  Ledger ledger(const std::string& folder = "run") {
    return Ledger::open(temp_ / folder / "ledger.sqlite");
  }
  std::string refusal(const models::Classifier& model) {
    return message_of<OptionError>([&] { run_model(model, noise_attack(kEvaluationEpsilon)); });
  }

  testing::TempFolder temp_;
  models::Classifier model_ = toy_model();
  data::Dataset dataset_ = toy_data(50);
  EvaluateOptions options_ = {.seed = 3, .compute_batch = 8, .gallery = 4};
  std::optional<run::StopToken> stop_{std::in_place};
  std::function<void(const std::string&, std::int64_t, std::int64_t)> progress_;
};

json without_time(json result) {
  for (auto& attack : result["attacks"]) attack.erase("seconds");
  result.erase("compute_batch");
  return result;
}

TEST_F(EvaluationTest, MatchesTheClosedFormOfALinearModel) {
  const auto m = margins(dataset_);
  const auto w = toy_weight().to(at::kDouble);
  const auto natural = count_above(m, 0);
  ASSERT_GT(natural, 10);
  for (const auto norm : {attacks::Norm::linf, attacks::Norm::l2}) {
    const double dual = (norm == attacks::Norm::linf ? w.abs().sum() : w.norm()).item<double>();
    const auto robust = count_above(m, kEvaluationEpsilon * dual);
    ASSERT_LT(robust, natural);
    ASSERT_GT(robust, 0);
    const auto result =
        run(pgd_entry({.budget = {norm, kEvaluationEpsilon}, .start = attacks::Start::none}),
            std::string(to_string(norm)));
    EXPECT_EQ(result["n"], 50);
    EXPECT_EQ(result["natural"]["correct"], natural);
    EXPECT_EQ(result["robust"]["correct"], robust);
    EXPECT_DOUBLE_EQ(result["robust"]["accuracy"], static_cast<double>(robust) / 50);
    EXPECT_LT(result["robust"]["lower"], result["robust"]["accuracy"]);
    EXPECT_GT(result["robust"]["upper"], result["robust"]["accuracy"]);
    EXPECT_EQ(result["robust"]["confidence"], 0.95);
    const auto& attack = result["attacks"][0];
    EXPECT_EQ(attack["name"], "pgd-10");
    EXPECT_EQ(attack["robust"], result["robust"]);
    EXPECT_EQ(attack["refuted"], 0);
    EXPECT_EQ(attack["passes"]["forwards"], 11 * natural);
    EXPECT_EQ(attack["passes"]["backwards"], 10 * natural);
  }
}

TEST_F(EvaluationTest, LosesNothingAtEpsilonZero) {
  const auto result = run(pgd_entry({.budget = {.epsilon = 0}, .steps = 2}));
  EXPECT_EQ(result["robust"], result["natural"]);
}

TEST_F(EvaluationTest, AttacksTheCorrectlyClassifiedAlone) {
  run(noise_attack(kEvaluationEpsilon));
  const auto held = ledger();
  std::vector<std::uint64_t> correct, attacked;
  for (const auto& row : held.samples())
    if (row.correct) correct.push_back(row.sample);
  for (const auto& row : held.attempts("noise")) attacked.push_back(row.sample);
  EXPECT_EQ(held.samples().size(), 50u);
  EXPECT_LT(correct.size(), 50u);
  EXPECT_EQ(attacked, correct);
}

TEST_F(EvaluationTest, CountsOfTheClassesAddUp) {
  const auto result = run(noise_attack(0.3));
  std::int64_t n = 0, natural = 0, robust = 0;
  for (const auto& row : result["per_class"]) {
    n += row["n"].get<std::int64_t>();
    natural += row["natural"]["correct"].get<std::int64_t>();
    robust += row["robust"]["correct"].get<std::int64_t>();
  }
  EXPECT_EQ(n, result["n"]);
  EXPECT_EQ(natural, result["natural"]["correct"]);
  EXPECT_EQ(robust, result["robust"]["correct"]);
  EXPECT_LT(robust, natural);
  EXPECT_EQ(result["per_class"][1]["class"], "class-1");
}

TEST_F(EvaluationTest, TakesOneSampleAndABatchOfOne) {
  const auto whole = run(noise_attack(kEvaluationEpsilon), "whole");
  options_.compute_batch = 1;
  EXPECT_EQ(without_time(run(noise_attack(kEvaluationEpsilon), "single")), without_time(whole));
  dataset_ = toy_data(1);
  EXPECT_EQ(run(noise_attack(kEvaluationEpsilon), "one")["n"], 1);
}

TEST_F(EvaluationTest, CountsRefutedClaims) {
  const auto far = [](const at::Tensor& x, const at::Tensor& y) { return strongest(x, y, 0.5); };
  const auto result = run(forged_attack(kEvaluationEpsilon, true, far));
  EXPECT_EQ(result["attacks"][0]["refuted"], result["natural"]["correct"]);
  EXPECT_EQ(result["robust"], result["natural"]);
}

TEST_F(EvaluationTest, ReportsAFailingAttackOnItsRow) {
  auto attack = noise_attack(kEvaluationEpsilon);
  attack.run = [](const auto&, const auto&, const auto&, const auto&) -> attacks::AttackResult {
    throw NumericError("[noise] gradient: not finite");
  };
  const auto result = run(attack);
  EXPECT_EQ(result["attacks"],
            json::parse(R"([{"name": "noise", "error": "[noise] gradient: not finite"}])"));
  EXPECT_EQ(result["natural"]["correct"], count_above(margins(dataset_), 0));
  EXPECT_FALSE(result.contains("robust"));
}

TEST_F(EvaluationTest, WorstCaseOfSeveralAttacksIsTheResult) {
  std::filesystem::create_directories(temp_ / "two");
  const Suite attacks{.name = "two", .attacks = {noise_attack(0.2, "a"), noise_attack(0.2, "b")}};
  const auto result = evaluate_with(
      {.model = model_, .dataset = dataset_, .options = options_, .folder = temp_ / "two"},
      attacks);
  const auto held = ledger("two");
  const auto a = held.attempts("a"), b = held.attempts("b");
  std::int64_t robust = 0;
  for (std::size_t i = 0; i < a.size(); ++i) robust += !a[i].success && !b[i].success;
  EXPECT_EQ(result["robust"]["correct"], robust);
  EXPECT_EQ(result["attacks"].size(), 2u);
}

TEST_F(EvaluationTest, WorstCaseAttacksWhatIsNotBrokenYet) {
  std::filesystem::create_directories(temp_ / "worst");
  auto rounds = noise_attack(0.2, "b");
  rounds.rounds = [](std::int64_t) { return 3; };
  rounds.run = [run = rounds.run](const auto& model, const auto& x, const auto& y,
                                  attacks::Context context) {
    context.random = context.random.stream(str("round", *context.round));
    return run(model, x, y, context);
  };
  const Suite suite{
      .name = "worst", .combine = Combine::worst_case, .attacks = {noise_attack(0.2, "a"), rounds}};
  const auto result = evaluate_with(
      {.model = model_, .dataset = dataset_, .options = options_, .folder = temp_ / "worst"},
      suite);
  const auto held = ledger("worst");
  std::set<std::uint64_t> broken;
  for (const auto& row : held.attempts("a"))
    if (row.success) broken.insert(row.sample);
  ASSERT_FALSE(broken.empty());
  const auto after_a = result["natural"]["correct"].get<std::size_t>() - broken.size();
  EXPECT_EQ(result["attacks"][0]["robust"]["correct"], after_a);
  EXPECT_EQ(result["attacks"][1]["attacked"], after_a);
  std::int64_t round = 0;
  for (const auto& row : held.attempts("b")) {
    EXPECT_GE(row.round, round) << "in order of rounds";
    round = row.round;
    EXPECT_FALSE(broken.contains(row.sample)) << "a broken sample is not attacked again";
    if (row.success) broken.insert(row.sample);
  }
  EXPECT_EQ(round, 2);
  EXPECT_EQ(result["robust"]["correct"],
            result["natural"]["correct"].get<std::size_t>() - broken.size());
  EXPECT_EQ(result["attacks"][1]["robust"], result["robust"]) << "cumulative";
  EXPECT_EQ(result["headline"]["upper"], result["robust"]["upper"]);
  EXPECT_TRUE(result["headline"]["lower"].is_null());
}

TEST_F(EvaluationTest, ResumesToTheSameLedgerAfterAStop) {
  const auto expected = run(noise_attack(kEvaluationEpsilon), "whole");
  for (const std::string stage : {"natural", "noise"}) {
    progress_ = [&](const std::string& at, std::int64_t done, std::int64_t) {
      if (at == stage && done > 8) stop_->request(SIGTERM);
    };
    EXPECT_THROW(run(noise_attack(kEvaluationEpsilon), stage), run::Interrupted);
    stop_.emplace();
    progress_ = {};
    EXPECT_LT(ledger(stage).attempts("noise").size(), ledger("whole").attempts("noise").size());
    EXPECT_EQ(without_time(run(noise_attack(kEvaluationEpsilon), stage, true)),
              without_time(expected));
    EXPECT_EQ(ledger(stage).samples(), ledger("whole").samples());
    EXPECT_EQ(timeless(ledger(stage).attempts("noise")),
              timeless(ledger("whole").attempts("noise")));
  }
}

TEST_F(EvaluationTest, ResumesToTheSameLedgerAfterAKillInsideAnAttack) {
  const auto expected = run(noise_attack(kEvaluationEpsilon), "whole");
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    at::set_num_threads(1);  // a pool of threads does not survive a fork
    auto attack = noise_attack(kEvaluationEpsilon);
    attack.run = [inner = attack.run, calls = 0](const auto& model, const auto& x, const auto& y,
                                                 const auto& context) mutable {
      if (++calls == 3) raise(SIGKILL);
      return inner(model, x, y, context);
    };
    run(attack, "killed");
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(ledger("killed").attempts("noise").size(), 16u);
  EXPECT_EQ(without_time(run(noise_attack(kEvaluationEpsilon), "killed", true)),
            without_time(expected));
  EXPECT_EQ(timeless(ledger("killed").attempts("noise")),
            timeless(ledger("whole").attempts("noise")));
  const auto whole = run::read_tensor_file(temp_ / "whole" / "gallery.safetensors");
  const auto killed = run::read_tensor_file(temp_ / "killed" / "gallery.safetensors");
  EXPECT_EQ(killed.metadata, whole.metadata);
  for (const auto& [name, tensor] : whole.tensors)
    EXPECT_TRUE(at::equal(find_tensor(killed.tensors, name), tensor)) << name;
}

TEST_F(EvaluationTest, AFinishedRunIsNotComputedAgain) {
  const auto expected = run(noise_attack(kEvaluationEpsilon));
  auto attack = noise_attack(kEvaluationEpsilon);
  attack.run = [](const auto&, const auto&, const auto&, const auto&) -> attacks::AttackResult {
    throw std::logic_error("called again");
  };
  EXPECT_EQ(run(attack, "run", true), expected);
}

TEST_F(EvaluationTest, RefusesALedgerOfSomethingElse) {
  const auto attack = noise_attack(kEvaluationEpsilon);
  run(attack);
  EXPECT_HAS(message_of<OptionError>([&] { run(attack); }), "resume");
  EXPECT_HAS(message_of<DataError>([&] { run(noise_attack(0.2), "run", true); }), "attack noise");
  const auto other = model_of([](const at::Tensor& x) { return x.flatten(1).narrow(1, 0, 2); });
  EXPECT_HAS(message_of<DataError>([&] { run_model(other, attack, "run", true); }), "model");
  options_.seed = 4;
  EXPECT_HAS(message_of<DataError>([&] { run(attack, "run", true); }), "seed");
  options_.seed = 3;
  dataset_ = toy_data(49);
  EXPECT_HAS(message_of<DataError>([&] { run(attack, "run", true); }), "data");
}

TEST_F(EvaluationTest, KeepsAGalleryOfSuccessesThenSurvivors) {
  for (const double epsilon : {0.3, 0.0}) {
    const auto name = str("gallery-", epsilon);
    run(noise_attack(epsilon), name);
    const auto file = run::read_tensor_file(temp_ / name / "gallery.safetensors");
    const auto get = [&](const char* key) { return find_tensor(file.tensors, key); };
    ASSERT_EQ(get("x").sizes(), at::IntArrayRef({4, 1, 2, 3}));
    EXPECT_LE((get("x_adv") - get("x")).abs().max().item<double>(), epsilon + 1e-6);
    EXPECT_TRUE(at::equal(get("prediction"), get("y")));
    EXPECT_TRUE(at::equal(model_(get("x_adv")).argmax(1), get("prediction_adv")));
    EXPECT_TRUE(at::equal(get("success").to(at::kBool), get("prediction_adv").ne(get("y"))));
    EXPECT_EQ(get("success").sum().item<std::int64_t>(), epsilon > 0 ? 4 : 0);
    EXPECT_EQ(file.metadata.at("attack"), "noise");
    EXPECT_EQ(file.metadata.at("norm"), "linf");
    EXPECT_EQ(file.metadata.at("ids").substr(0, 2), "10");
    EXPECT_EQ(json::parse(file.metadata.at("class_names"))[1], "class-1");
  }
  options_.gallery = 0;
  run(noise_attack(0.3), "none");
  EXPECT_FALSE(std::filesystem::exists(temp_ / "none" / "gallery.safetensors"));
}

TEST_F(EvaluationTest, RefusesDataThatDoNotFit) {
  dataset_.labels = dataset_.labels + 1;
  EXPECT_HAS(refusal(model_), "label 2");
  dataset_ = toy_data(50);
  dataset_.ids[7] = dataset_.ids[3];
  EXPECT_HAS(refusal(model_), "stands twice");
  dataset_ = toy_data(50);
  dataset_.images = dataset_.images.view({50, 1, 3, 2});
  EXPECT_HAS(refusal(model_), "'toy' takes images (1, 2, 3), data 'toy' has (1, 3, 2)");
  dataset_ = toy_data(0);
  EXPECT_HAS(refusal(model_), "none");
  dataset_ = toy_data(50);
  options_.compute_batch = 0;
  EXPECT_HAS(refusal(model_), "compute_batch");
  options_.compute_batch = 8;
  options_.confidence = 1;
  EXPECT_HAS(refusal(model_), "confidence");
  EXPECT_FALSE(std::filesystem::exists(temp_ / "run" / "ledger.sqlite"));
}

TEST_F(EvaluationTest, RefusesProbabilitiesAndNeighbourlyModels) {
  const auto softmax = model_of([](const at::Tensor& x) { return toy_model()(x).softmax(1); });
  EXPECT_HAS(refusal(softmax), "remove the softmax");
  const auto train_mode = model_of([](const at::Tensor& x) {
    const auto z = toy_model()(x);
    return z - z.mean(0, true);
  });
  EXPECT_HAS(refusal(train_mode), "eval mode");
  const auto positive = model_of([](const at::Tensor& x) { return toy_model()(x).exp(); });
  EXPECT_NO_THROW(run_model(positive, noise_attack(kEvaluationEpsilon), "positive"));
  const auto random = model_of([](const at::Tensor& x) {
    const auto z = toy_model()(x);
    return z + at::randn_like(z);
  });
  EXPECT_HAS(refusal(random), "--verdict-draws");
  options_.verdict_draws = 5;
  EXPECT_NO_THROW(run_model(random, noise_attack(kEvaluationEpsilon), "random"));
}

TEST_F(EvaluationTest, StopsOnAModelThatIsNotFinite) {
  const auto broken = model_of([](const at::Tensor& x) { return toy_model()(x).log().log(); });
  EXPECT_THROW(run_model(broken, noise_attack(kEvaluationEpsilon)), NumericError);
}

}  // namespace
}  // namespace namid::eval
