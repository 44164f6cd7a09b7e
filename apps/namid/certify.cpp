// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/certify_command.h"
#include "apps/namid/command_inl.h"
#include "apps/namid/imported.h"
#include "apps/namid/inputs.h"
#include "apps/namid/progress_lines.h"
#include "namid/eval/certification.h"
#include "namid/eval/evaluation.h"
#include "namid/eval/export_unknown.h"
#include "namid/run/stop_token.h"

namespace namid::app {

std::string CertifyCommand::default_name() const {
  return str(to_string(certify.method), "-", to_string(budget.norm));
}

OptionSet CertifyCommand::options() {
  OptionSet set;
  set.add("", inputs)
      .add("", budget)
      .add("", imported)
      .add("certify", certify)
      .add("", data)
      .add("", runtime);
  return set;
}

void CertifyCommand::prepare() {
  if (std::exchange(prepared_, true)) return;
  validate(inputs, "certify");
  if (inputs.model.empty())
    throw OptionError("[certify] expected the model to certify: namid certify MODEL");
  test_ = data::load_dataset(data, data::Part::test);
  classifier_ = read_model(inputs.model, imported, test_, trust);
  place(classifier_, runtime);
  eval::check_evaluation(classifier_, test_, {.name = "certify"}, {});
  eval::check_certification(classifier_, budget, certify);
  if (!inputs.export_unknown.empty()) eval::check_export(budget);
}

json CertifyCommand::record() const {
  return attacked_record(classifier_, test_, model_path(inputs.model, imported), 0);
}

json CertifyCommand::run(const run::RunFolder& folder, bool resume) {
  const auto progress = progress_lines(show_progress);
  const auto* stop = &run::process_stop_token();
  auto result = eval::evaluate_with({.model = classifier_,
                                     .dataset = test_,
                                     .options = {.gallery = 0, .confidence = inputs.confidence},
                                     .folder = folder.path(),
                                     .resume = resume,
                                     .stop = stop,
                                     .progress = progress},
                                    {.name = "certify"});
  result.erase("attacks");
  const eval::Certification job{.model = classifier_,
                                .dataset = test_,
                                .budget = budget,
                                .options = certify,
                                .radius = budget.epsilon,
                                .folder = folder.path(),
                                .confidence = inputs.confidence,
                                .stop = stop,
                                .progress = progress};
  result["certificates"] = eval::certify_ledger(job);
  if (!inputs.export_unknown.empty())
    result["exported"] = {{"folder", inputs.export_unknown},
                          {"samples", eval::export_unknown(job, inputs.export_unknown)}};
  return result;
}

std::string CertifyCommand::summary(const json& result, const run::RunFolder& folder) const {
  auto text =
      str("n = ", result.value("n", 0), "\nnatural accuracy ", accuracy_text(result["natural"]),
          "\n", certificates_text(result["certificates"]));
  if (result.contains("exported"))
    text += str("unknown samples ", result["exported"].value("folder", ""), " (",
                result["exported"].value("samples", 0), " questions, network.onnx)\n");
  return text + str("run folder ", folder.path().string(), "\n");
}

std::string certificates_text(const json& found) {
  const auto count = [&](const char* key) { return found.value(key, std::int64_t{0}); };
  std::string text = str("certified accuracy, ", found.value("method", ""), ", ",
                         found.value("norm", ""), " ", shortest(found.value("epsilon", 0.0)),
                         found.value("box", true) ? "" : ", without the box", ": ",
                         accuracy_text(found), "\n", "certified ", count("certified"), ", broken ",
                         count("broken"), ", unknown ", count("unknown"), " of ", count("n"), " (",
                         fixed(found.value("seconds", 0.0), 1), " s)\n");
  if (!found["smallest_margin"].is_number()) return text;
  text += str("smallest certified margin ", shortest(found.value("smallest_margin", 0.0)),
              "; float32 logits can be off by about ", shortest(found.value("float32_slack", 0.0)));
  if (const auto below = count("below_float32"))
    text += str("; ", below, " samples are certified by less than that");
  return text + "\n";
}

void add_certify(CLI::App& app) {
  add_run_command<CertifyCommand>(
      app, "prove that no change within a budget alters the class of an image", "model");
}

}  // namespace namid::app
