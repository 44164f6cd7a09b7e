// SPDX-License-Identifier: Apache-2.0
#include <cstdio>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"
#include "namid/report/report.h"

namespace namid::app {

void add_compare(CLI::App& app) {
  struct State {
    std::vector<std::filesystem::path> runs;
    std::string format = "text";
    bool as_json = false;
  };
  auto state = std::make_shared<State>();
  auto* sub = app.add_subcommand("compare", "runs side by side");
  sub->allow_extras();
  sub->add_option("RUN", state->runs, "run folders")->required();
  sub->add_option("--format", state->format, "text, markdown, csv or json")->capture_default_str();
  sub->add_flag("--json", state->as_json, "the same as --format json");
  sub->callback([state, sub] {
    refuse_extras(*sub);
    const auto format =
        detail::parse_value<report::TableFormat>(state->as_json ? "json" : state->format);
    std::fputs(report::compare(state->runs, format).c_str(), stdout);
  });
}

}  // namespace namid::app
