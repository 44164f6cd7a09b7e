// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "namid/run/tensor_file.h"

namespace namid::testing {

using nlohmann::json;
namespace fs = std::filesystem;

/// Run folders as the commands leave them, with made-up numbers.

inline void write_text(const fs::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

inline void write_record(const fs::path& folder, const json& record) {
  fs::create_directories(folder);
  write_text(folder / "run.json", record.dump(2));
}

inline json accuracy(int correct, int n, double below, double above) {
  const double value = static_cast<double>(correct) / n;
  return {{"correct", correct},
          {"accuracy", value},
          {"lower", std::max(0.0, value - below)},
          {"upper", std::min(1.0, value + above)},
          {"confidence", 0.95}};
}

inline json base_record(const std::string& command, const std::string& started) {
  return {{"command", command},
          {"argv", {"namid", command, "--seed", "7"}},
          {"status", "done"},
          {"exit_code", 0},
          {"started", started},
          {"ended", "2026-03-04T12:00:00Z"},
          {"seconds", 184.25},
          {"seed", 7},
          {"environment",
           {{"version", "0.1.0"}, {"commit", "abc123"}, {"torch", "2.13.0"}, {"threads", 2}}},
          {"data",
           {{"name", "fashion-mnist-mini"},
            {"sha256", "9f86d081884c7d659a2feaa0c55ad015"},
            {"n", 1000},
            {"shape", {1, 28, 28}},
            {"classes",
             {"T-shirt/top", "trouser", "pullover", "dress", "coat", "sandal", "shirt", "sneaker",
              "bag", "ankle boot"}}}},
          {"model", {{"name", "small_cnn"}, {"parameters", 421642}, {"sha256", "2c26b46b68ff"}}}};
}

inline json attack_options(int steps, double epsilon = 0.1) {
  return {{"norm", "linf"},     {"epsilon", epsilon}, {"steps", steps}, {"step_size", "auto"},
          {"start", "uniform"}, {"judge", "best"},    {"restarts", 1},  {"loss", "cross_entropy"}};
}

inline void write_gallery(const fs::path& folder, std::int64_t count = 4) {
  const auto grid = at::arange(28, at::kFloat).div(27);
  const auto shape = grid.view({28, 1}).mul(3.1).sin() * grid.view({1, 28}).mul(3.1).sin();
  const auto x = shape.expand({count, 1, 28, 28}).contiguous();
  const auto noise = at::sign(at::sin(at::arange(count * 784, at::kFloat).mul(1.7)));
  const auto x_adv = (x + 0.1 * noise.view({count, 1, 28, 28})).clamp(0, 1);
  const auto y = at::arange(count, at::kLong);
  run::write_tensor_file(folder / "gallery.safetensors",
                         {{"x", x},
                          {"x_adv", x_adv},
                          {"y", y},
                          {"prediction", y},
                          {"prediction_adv", (y + 4).remainder(10)}});
}

inline json evaluation_record(int natural = 769, int robust = 639) {
  json record = base_record("evaluate", "2026-03-04T11:50:00Z");
  record["options"] = {
      {"model", "runs/train/standard-001"}, {"seed", 7}, {"attack", attack_options(40)}};
  json classes = json::array();
  for (int i = 0; i < 10; ++i) {
    classes.push_back({{"class", i},
                       {"n", 100},
                       {"natural", accuracy(95 - 4 * i, 100, 0.04, 0.03)},
                       {"robust", accuracy(90 - 7 * i, 100, 0.05, 0.05)}});
  }
  record["result"] = {{"n", 1000},
                      {"natural", accuracy(natural, 1000, 0.027, 0.026)},
                      {"robust", accuracy(robust, 1000, 0.03, 0.03)},
                      {"attacks",
                       {{{"name", "pgd-40"},
                         {"robust", accuracy(robust, 1000, 0.03, 0.03)},
                         {"refuted", 0},
                         {"passes", {{"forwards", 31529}, {"backwards", 30760}}},
                         {"seconds", 12.5}}}},
                      {"per_class", classes}};
  return record;
}

inline void write_evaluation(const fs::path& folder, int natural = 769, int robust = 639) {
  write_record(folder, evaluation_record(natural, robust));
  write_text(folder / "config.toml", "seed = 7\n");
  write_gallery(folder);
}

inline void write_certification(const fs::path& folder) {
  json record = base_record("certify", "2026-03-04T11:50:00Z");
  record["options"] = {{"model", "runs/train/standard-001"}, {"norm", "linf"}, {"epsilon", 0.1}};
  json certificates = accuracy(400, 1000, 0.031, 0.031);
  certificates.update({{"method", "crown"}, {"n", 1000}, {"certified", 400}});
  record["result"] = {
      {"n", 1000}, {"natural", accuracy(769, 1000, 0.027, 0.026)}, {"certificates", certificates}};
  write_record(folder, record);
}

inline json training_record(const std::string& defense, const std::string& started) {
  json record = base_record("train", started);
  record["argv"] = {"namid", "train", "--defense", defense, "--data", "my data/it's"};
  record["options"] = {{"defense", defense},
                       {"epochs", 12},
                       {"lr", 0.05},
                       {"milestones", {10, 12}},
                       {"attack", attack_options(10)}};
  record["data"]["validation"] = 500;
  record["result"] = {{"epochs", 12},
                      {"steps", 564},
                      {"weights_sha256", "fcde2b2edba56bf4"},
                      {"validation", {{"natural_accuracy", 0.77}, {"robust_accuracy", 0.64}}},
                      {"warnings", json::array()}};
  return record;
}

/// Twelve epochs that approach `natural` and `robust`.
inline std::string training_metrics(double natural, double robust, int epochs = 12) {
  std::string lines;
  for (int epoch = 1; epoch <= epochs; ++epoch) {
    const double part = 1 - std::exp(-0.35 * epoch);
    const json step = {{"kind", "step"},
                       {"step", 47 * epoch - 20},
                       {"epoch", epoch - 0.4},
                       {"loss", 2.3 - 1.2 * part}};
    const json row = {{"kind", "epoch"},
                      {"step", 47 * epoch},
                      {"epoch", epoch},
                      {"loss", 2.3 - 1.3 * part},
                      {"lr", epoch < 10 ? 0.05 : 0.005},
                      {"natural_accuracy", natural * part},
                      {"robust_accuracy", robust * part}};
    lines += step.dump() + "\n" + row.dump() + "\n";
  }
  return lines;
}

inline void write_training(const fs::path& folder, const std::string& defense = "standard",
                           double natural = 0.77, double robust = 0.64,
                           const std::string& started = "2026-03-04T11:00:00Z") {
  write_record(folder, training_record(defense, started));
  write_text(folder / "config.toml", "[train]\ndefense = \"" + defense + "\"\n");
  write_text(folder / "metrics.jsonl", training_metrics(natural, robust));
}

inline json score_column(double shift) {
  return {
      {"natural_on_natural", 2.41 - shift},          {"natural_on_adversarial", 1.13 - shift},
      {"adversarial_on_natural", -0.52 - shift},     {"adversarial_on_adversarial", 0.87 - shift},
      {"natural_on_natural_selected", 2.52 - shift}, {"selected", 0.61}};
}

inline void write_estimation(const fs::path& folder) {
  json record = base_record("estimate", "2026-03-04T11:20:00Z");
  record["options"] = {{"objective", "selected"}, {"attack", attack_options(10)}};
  record["result"] = {{"steps", 376}, {"scores", score_column(0)}};
  write_record(folder, record);
  std::string lines;
  for (int epoch = 1; epoch <= 8; ++epoch) {
    lines += json{{"kind", "epoch"},
                  {"step", 47 * epoch},
                  {"epoch", epoch},
                  {"natural_score", 2.4 - 3.0 / epoch},
                  {"adversarial_score", 0.9 - 1.5 / epoch}}
                 .dump() +
             "\n";
  }
  write_text(folder / "metrics.jsonl", lines);
}

inline json demo_row(const std::string& defense, int natural, int robust) {
  return {
      {"defense", defense},
      {"run", defense},
      {"evaluation", defense + "-evaluation"},
      {"natural", accuracy(natural, 1000, 0.027, 0.026)},
      {"robust", accuracy(robust, 1000, robust < 50 ? 0.004 : 0.03, robust < 50 ? 0.008 : 0.03)},
      {"n", 1000},
      {"seconds", 61.5}};
}

inline void write_demo(const fs::path& folder) {
  json record = base_record("demo", "2026-03-04T10:59:00Z");
  record["options"] = {{"seed", 7}, {"epsilon", 0.1}, {"epochs", 12}};
  record["result"] = {
      {"rows",
       {demo_row("natural", 856, 7), demo_row("standard", 769, 639), demo_row("namid", 757, 641)}},
      {"scores",
       {{"before", score_column(0)},
        {"after_fresh", score_column(0.2)},
        {"after_training_critic", score_column(10.1)}}},
      {"estimators_run", "estimators"},
      {"note", "one seed"}};
  write_record(folder, record);
  write_text(folder / "config.toml", "seed = 7\n");
  write_training(folder / "natural", "natural", 0.86, 0.01, "2026-03-04T11:00:00Z");
  write_training(folder / "standard", "standard", 0.77, 0.64, "2026-03-04T11:10:00Z");
  write_training(folder / "namid", "namid", 0.76, 0.645, "2026-03-04T11:30:00Z");
  write_estimation(folder / "estimators");
  write_evaluation(folder / "natural-evaluation", 856, 7);
  write_evaluation(folder / "standard-evaluation", 769, 639);
  write_evaluation(folder / "namid-evaluation", 757, 641);
}

}  // namespace namid::testing
