// SPDX-License-Identifier: Apache-2.0
#include <cstdio>
#include <thread>

#include "apps/namid/command.h"
#include "apps/namid/flags.h"

namespace namid::app {
namespace {

json examine() {
  json found = run::environment_record();
  found["cuda"] = at::hasCUDA() ? "available" : "not available";
  std::error_code error;
  const auto space = std::filesystem::space(".", error);
  if (!error) found["disk_free_gib"] = static_cast<double>(space.available) / (1u << 30);
  found["embedded_data"] = "fashion-mnist-mini";
  return found;
}

}  // namespace

void add_doctor(CLI::App& app) {
  auto as_json = std::make_shared<bool>(false);
  auto* sub = app.add_subcommand("doctor", "what this machine offers");
  sub->allow_extras();
  sub->add_flag("--json", *as_json, "as JSON");
  sub->callback([as_json, sub] {
    refuse_extras(*sub);
    const auto found = examine();
    if (*as_json) {
      std::puts(found.dump(2).c_str());
      return;
    }
    for (const auto& [key, value] : found.items()) {
      const auto shown = value.is_string()         ? value.get<std::string>()
                         : value.is_number_float() ? fixed(value.get<double>(), 1)
                                                   : value.dump();
      std::printf("%-18s %s\n", key.c_str(), shown.c_str());
    }
  });
}

}  // namespace namid::app
