// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/inputs.h"

#include "namid/attacks/transfer.h"
#include "namid/core/error.h"
#include "namid/core/format.h"
#include "namid/core/log.h"
#include "namid/core/option_set.h"
#include "namid/eval/surrogate.h"
#include "namid/models/model_file.h"
#include "namid/models/weights.h"
#include "namid/run/run_folder.h"

namespace namid::app {

using nlohmann::literals::operator""_json_pointer;

std::filesystem::path resolve_input(const std::string& path, const std::string& file,
                                    const std::string& what) {
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    const auto inside = std::filesystem::path(path) / file;
    if (std::filesystem::exists(inside, ignored)) return inside;
    throw DataError(str(path, ": holds no ", file, "; expected a run folder with a ", what));
  }
  if (!std::filesystem::exists(path, ignored))
    throw DataError(str(path, ": no such file or run folder; expected a ", what));
  return path;
}

std::vector<std::string> words_of(const std::string& list) {
  std::vector<std::string> words;
  for (const auto item : detail::split_list(list)) {
    const auto first = item.find_first_not_of(' ');
    if (first != std::string_view::npos)
      words.emplace_back(item.substr(first, item.find_last_not_of(' ') - first + 1));
  }
  return words;
}

std::string joined(const std::vector<std::string>& words, const std::string& separator) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : separator) + word;
  return text;
}

namespace {

models::Classifier read_torchscript(const std::filesystem::path& file, bool trust,
                                    const std::vector<std::int64_t>& shape) {
  if (!trust)
    throw OptionError(str("trust: ", file.string(),
                          " is TorchScript, a program that may do anything, reading files for one; "
                          "give --trust if you trust who made it, or have it exported as .pt2 "
                          "(python -m namid.export), which is data"));
  log_warning(file.string(),
              ": TorchScript, run because of --trust; PyTorch gives it up, .pt2 is "
              "what follows it");
  return models::load_torchscript(file, shape);
}

}  // namespace

models::Classifier read_model(const std::string& path, bool trust,
                              const std::vector<std::int64_t>& shape) {
  const auto file = resolve_input(path, "model.safetensors", "model");
  switch (models::model_file_kind(file)) {
    case models::ModelFile::pt2:
      return models::load_program(file);
    case models::ModelFile::torchscript:
      return read_torchscript(file, trust, shape);
    case models::ModelFile::checkpoint:
      throw DataError(str(file.string(),
                          ": a PyTorch checkpoint, which holds weights and no network; name a "
                          "built-in network and give --weights ",
                          file.string(),
                          ", or make a program of both: python -m namid.export module:Net "
                          "--weights ",
                          file.string(), " --input 3,32,32 -o net.pt2"));
    case models::ModelFile::onnx:
      throw DataError(str(file.string(),
                          ": ONNX is not read; convert it with python -m "
                          "namid.export ",
                          file.string(), " -o net.pt2"));
    default:
      return models::load_model(file);
  }
}

mi::EstimatorPair read_estimators(const std::string& path) {
  return mi::load_estimators(resolve_input(path, "estimators.safetensors", "pair of estimators"));
}

std::string defense_of(const std::string& path) {
  if (!std::filesystem::exists(std::filesystem::path(path) / "run.json")) return "";
  const auto record = run::RunFolder::open(path).read_record();
  return record.value("/options/defense"_json_pointer, "");
}

std::string chosen_on(const std::string& path) {
  if (!std::filesystem::exists(std::filesystem::path(path) / "run.json")) return "";
  const auto record = run::RunFolder::open(path).read_record();
  const bool test = record.value("/options/select"_json_pointer, "") == "test";
  return test ? "test" : "";
}

void refuse_targeted(const attacks::PgdOptions& attack) {
  if (attack.targeted)
    throw OptionError("[attack] targeted: training and evaluation need untargeted attacks");
}

nlohmann::json data_record(const data::Dataset& dataset) {
  return {{"name", dataset.name},
          {"sha256", dataset.sha256()},
          {"n", dataset.size()},
          {"shape", dataset.shape()},
          {"classes", dataset.class_names}};
}

nlohmann::json model_record(const models::Classifier& model) {
  std::int64_t count = 0;
  for (const auto& parameter : model.parameters()) count += parameter.numel();
  const auto& info = model.info();
  return {{"name", info.name},
          {"parameters", count},
          {"num_classes", info.num_classes},
          {"input_shape", info.input_shape}};
}

nlohmann::json engine_record(const engine::Compiled& compiled) {
  if (!compiled.kernels.empty()) return {{"kernels", compiled.kernels}};
  nlohmann::json record = {{"kernels", nullptr}};
  if (!compiled.refusal.empty()) record["refusal"] = compiled.refusal;
  return record;
}

nlohmann::json attacked_record(const models::Classifier& model, const data::Dataset& dataset,
                               const std::string& path, std::uint64_t seed) {
  nlohmann::json record = {{"data", data_record(dataset)},
                           {"model", model_record(model)},
                           {"seed", seed},
                           {"target", path},
                           {"defense", defense_of(path)}};
  if (const auto chosen = chosen_on(path); !chosen.empty()) record["chosen_on"] = chosen;
  record["model"]["sha256"] = models::weights_sha256(model.state_dict());
  return record;
}

models::Classifier read_surrogate(const std::string& path, bool trust,
                                  const models::Classifier& target, const std::string& who) {
  auto surrogate = read_model(path, trust, target.info().input_shape);
  attacks::check_surrogate(surrogate, target, who);
  return surrogate;
}

nlohmann::json surrogate_record(const models::Classifier& surrogate, const std::string& path) {
  auto record = eval::surrogate_json(surrogate);
  record["path"] = path;
  return record;
}

std::string rescue_text(const nlohmann::json& result) {
  if (!result.contains("rescue")) return "";
  const auto& rescue = result["rescue"];
  return str("attacks in bfloat16; again in float32 where the margin was below ",
             shortest(rescue.value("near", 0.0)), ": ", rescue.value("attacked", 0), " images, ",
             rescue.value("broken", 0), " of them broken\n");
}

std::string budget_text(const attacks::Budget& budget) {
  if (budget.norm == attacks::Norm::none) return "no norm";
  return str(to_string(budget.norm), ", epsilon ", fixed(budget.epsilon, 6));
}

std::string accuracy_text(const nlohmann::json& accuracy) {
  const auto percent = [&](const char* key) { return fixed(100 * accuracy.value(key, 0.0), 2); };
  const auto text = percent("accuracy") + " %";
  if (!accuracy.contains("lower")) return text;
  return str(text, " [", percent("lower"), ", ", percent("upper"), "]");
}

}  // namespace namid::app
