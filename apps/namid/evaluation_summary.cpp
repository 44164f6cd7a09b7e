// SPDX-License-Identifier: Apache-2.0
#include "apps/namid/evaluate_command.h"
#include "apps/namid/inputs.h"
#include "apps/namid/masking_command.h"
#include "namid/core/format.h"

namespace namid::app {
namespace {

std::string upper_case(std::string text) {
  for (auto& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string attack_line(const json& attack, bool worst_case, double seconds) {
  const auto name = attack.value("name", "");
  if (attack.contains("error")) return str(name, " failed: ", attack.value("error", ""), "\n");
  const auto shown = worst_case ? "after " + upper_case(name) : "under " + name;
  std::string refuted;
  if (const auto count = attack.value("refuted", 0); count > 0)
    refuted = str(", ", count, " claims refuted");
  return str("robust accuracy ", shown, ": ", accuracy_text(attack["robust"]), "  (",
             attack.value("broken", 0), " of ", attack.value("attacked", 0), " broken", refuted,
             ", total time ", fixed(seconds, 1), " s)\n");
}

std::string sampled_text(const json& sampled) {
  const auto percent = [&](const char* key) {
    return fixed(100 * sampled.at(key).get<double>(), 2);
  };
  return str("sampled stages: ", sampled.value("broken", 0), " of ", sampled.value("drawn", 0),
             " drawn from ", sampled.value("survivors", 0), " broken; under the full suite ",
             percent("estimate"), " % [", percent("lower"), ", ", percent("upper"),
             "], never above ", percent("bound"), " %\n");
}

std::string drawn_line(const std::string& name, const json& figures) {
  const auto percent = [&](const char* key) {
    return fixed(100 * figures.at(key).get<double>(), 2) + " %";
  };
  return str(name, ": ", percent("expected"), " of single draws right (standard error ",
             percent("standard_error"), "), voted ", percent("voted"), ", always right ",
             percent("always"), ", ever ", percent("ever"), "\n");
}

std::string drawn_text(const json& drawn) {
  auto text = str("judged by ", drawn.value("draws", 0), " further draws of the model:\n",
                  drawn_line("  initial accuracy", drawn.at("natural")));
  if (drawn.contains("robust")) text += drawn_line("  robust accuracy", drawn.at("robust"));
  return text;
}

/// What certificates and attacks say together.
std::string two_sides(const json& result) {
  const auto& found = result["certificates"];
  auto text = certificates_text(found);
  if (!result.contains("robust")) return text;
  const auto percent = [](double share) { return fixed(100 * share, 2); };
  const auto& headline = result["headline"];
  return text + str("robust accuracy of these images lies between ",
                    percent(found.value("accuracy", 0.0)), " % (certified) and ",
                    percent(result["robust"].value("accuracy", 0.0)),
                    " % (attacks); with their sampling error between ",
                    percent(headline.value("lower", 0.0)), " and ",
                    percent(headline.value("upper", 0.0)), " %\n");
}

}  // namespace

std::string evaluation_summary(const json& result, const run::RunFolder& folder) {
  const auto n = result.value("n", 0);
  const bool worst_case = result.value("combine", "") == "worst_case";
  const double confidence = result["natural"].value("confidence", 0.95);
  const bool stopped = result.contains("decision");
  std::string text = str("n = ", n, ", ", fixed(100 * confidence, 0), " % intervals: ",
                         stopped ? "of this data set, valid whenever one stops"
                                 : "sampling error under these attacks only",
                         "\ninitial accuracy: ", accuracy_text(result["natural"]), "\n");
  if (result.contains("surrogate"))
    text += str("transfer: the attacks saw ", result["surrogate"].value("name", ""), " (weights ",
                result["surrogate"].value("sha256", "").substr(0, 12),
                "), the model judged; all images count\n");
  double seconds = 0;
  for (const auto& attack : result["attacks"]) {
    seconds += attack.value("seconds", 0.0);
    text += attack_line(attack, worst_case, seconds);
  }
  text += rescue_text(result);
  if (result.contains("robust")) {
    text += str("max perturbation: ", shortest(result.value("largest_norm", 0.0)), "\n",
                "robust accuracy: ", accuracy_text(result["robust"]), "\n");
    if (!result.contains("certificates"))
      text +=
          str("robust accuracy lies below ", fixed(100 * result["headline"].value("upper", 0.0), 2),
              " %; no lower bound (no certificates)\n");
  }
  if (result.contains("drawn")) text += drawn_text(result["drawn"]);
  if (result.contains("certificates")) text += two_sides(result);
  if (result.contains("sampled")) text += sampled_text(result["sampled"]);
  if (result.contains("decision")) text += result["decision"].value("text", "") + "\n";
  if (result["self_test"].is_object() && !result["self_test"].value("passed", true))
    text += "self-test: verdicts near the boundary may depend on neighbours in the batch\n";
  if (result.contains("masking")) text += masking_text(result["masking"]);
  return text + str("run folder ", folder.path().string(), "\n");
}

}  // namespace namid::app
