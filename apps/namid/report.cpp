// SPDX-License-Identifier: Apache-2.0
#include "namid/report/report.h"

#include <cstdio>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"

namespace namid::app {

void add_report(CLI::App& app) {
  auto run = std::make_shared<std::filesystem::path>();
  auto* sub = app.add_subcommand("report", "write a run's report.html, one page without scripts");
  sub->allow_extras();
  sub->add_option("RUN", *run, "run folder")->required();
  sub->callback([run, sub] {
    refuse_extras(*sub);
    std::puts(report::write_report(*run).c_str());
  });
}

}  // namespace namid::app
