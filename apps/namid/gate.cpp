// SPDX-License-Identifier: Apache-2.0
#include "namid/eval/gate.h"

#include <cstdio>
#include <fstream>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "apps/namid/gate_command.h"
#include "namid/io/atomic_file.h"
#include "namid/report/gate_report.h"

namespace namid::app {
namespace {

struct GateState {
  std::filesystem::path run;
  std::vector<std::string> claims;
  std::string baseline, max_drop, junit, summary;
  eval::GateOptions options;
  bool as_json = false;
};

void check_flags(const GateState& state) {
  if (state.claims.empty() && state.baseline.empty())
    throw OptionError(
        "[gate] expected a question: --decide 'robust>=0.45' or --baseline RUN --max-drop 1%");
  if (state.baseline.empty() != state.max_drop.empty())
    throw OptionError("[gate] --baseline RUN and --max-drop SHARE: expected both or neither");
}

report::GateReport examine(const GateState& state) {
  check_flags(state);
  const double most = state.baseline.empty() ? 0 : eval::parse_drop(state.max_drop);
  const auto run = eval::read_finished(state.run);
  report::GateReport found{.run = run.name, .checks = {}};
  for (const auto& claim : state.claims)
    found.checks.push_back(eval::check_claim(run, claim, state.options));
  if (!state.baseline.empty())
    found.checks.push_back(
        eval::check_drop(run, eval::read_finished(state.baseline), most, state.options));
  return found;
}

/// A step summary is added to, not replaced: other steps of the job write there too.
void append(const std::string& path, const std::string& text) {
  std::ofstream file(path, std::ios::binary | std::ios::app);
  file << text << std::flush;
  if (!file) throw ResourceError(str(path, ": cannot be written to (--summary)"));
}

}  // namespace

void add_gate(CLI::App& app) {
  auto state = std::make_shared<GateState>();
  auto* sub = app.add_subcommand(
      "gate", "pass or fail an evaluation against claims and a baseline; exit code 6 if not shown");
  sub->allow_extras();
  sub->add_option("RUN", state->run, "run folder of namid evaluate")->required();
  sub->add_option("--decide", state->claims,
                  "claim such as 'robust>=0.45', of natural, robust or certified; repeatable")
      ->type_name("CLAIM")
      ->allow_extra_args(false);
  sub->add_option("--baseline", state->baseline, "run that the robust accuracy is compared with")
      ->type_name("RUN");
  sub->add_option("--max-drop", state->max_drop, "largest drop from the baseline, e.g. 1% or 0.01")
      ->type_name("SHARE");
  sub->add_option("--alpha", state->options.alpha,
                  "probability of a wrong answer to one question, on either side")
      ->capture_default_str();
  sub->add_option("--junit", state->junit, "write JUnit XML, a test case per question")
      ->type_name("FILE");
  sub->add_option("--summary", state->summary, "append a Markdown table, e.g. $GITHUB_STEP_SUMMARY")
      ->type_name("FILE");
  sub->add_flag("--json", state->as_json, "print one JSON document on stdout");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto found = examine(*state);
    std::fputs(
        state->as_json
            ? (report::gate_json(found).dump(2, ' ', false, json::error_handler_t::replace) + "\n")
                  .c_str()
            : report::gate_text(found).c_str(),
        stdout);
    if (!state->junit.empty()) io::write_file_atomically(state->junit, report::gate_junit(found));
    if (!state->summary.empty()) append(state->summary, report::gate_markdown(found));
    if (!found.met()) throw Exit{static_cast<int>(ExitCode::not_met)};
  });
}

}  // namespace namid::app
