// SPDX-License-Identifier: Apache-2.0
#include <ATen/Parallel.h>
#include <c10/core/DeviceGuard.h>

#include <chrono>
#include <cstdio>
#include <ctime>
#include <thread>

#include "apps/namid/command.h"
#include "namid/core/log.h"
#include "namid/io/records.h"
#include "namid/run/stop_token.h"

namespace namid::app {
namespace {

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

json started_record(RunCommand& command) {
  json record = command.record();
  record["command"] = command.command();
  record["argv"] = command_line(command);
  record["status"] = "running";
  record["started"] = utc_now();
  record["options"] = io::to_json(command.options());
  record["environment"] = run::environment_record();
  return record;
}

void record_end(const run::RunFolder& folder, const char* status, int code, double seconds) {
  const auto before = folder.read_record().value("seconds", 0.0);  // of earlier, interrupted parts
  folder.update_record({{"status", status},
                        {"exit_code", code},
                        {"ended", utc_now()},
                        {"seconds", before + seconds},
                        {"peak_memory", run::peak_memory()}});
}

}  // namespace

void place(const models::Classifier& model, const RuntimeOptions& runtime) {
  model.to(chosen_device(runtime));
  model.use_channels_last(runtime.memory_format != MemoryFormat::contiguous);
}

engine::Compiled seen_by_attacks(const models::Classifier& model, const RuntimeOptions& runtime) {
  if (runtime.engine == Engine::off || !model.device().is_cpu()) return {.model = model};
  auto compiled = engine::try_compile(model);
  if (!compiled.refusal.empty())
    log_info("engine: not used, the model runs as it is: ", compiled.refusal);
  return compiled;
}

std::vector<std::string> command_line(RunCommand& command) {
  const auto fresh = make_command(command.command());
  const auto present = command.options();
  const auto selector = command.selector();
  if (!selector.empty()) fresh->options().set(selector, present.find(selector).text());
  const auto again = fresh->options();
  std::map<std::string, std::string> defaults, profiled;
  for (const auto& entry : again.entries()) defaults[entry.path()] = entry.text();
  for (const auto& entry : present.entries()) again.set(entry.path(), entry.text());
  fresh->apply_profile();
  for (const auto& entry : again.entries()) profiled[entry.path()] = entry.text();
  std::vector<std::string> words = {"namid", command.command()};
  for (const auto& entry : present.entries()) {
    const auto path = entry.path(), text = entry.text();
    if (path != selector && text == defaults.at(path) && text == profiled.at(path)) continue;
    if (entry.type == "bool") {
      words.push_back(entry.flag() + "=" + text);
    } else {
      words.insert(words.end(), {entry.flag(), text});
    }
  }
  return words;
}

void apply_runtime(const RuntimeOptions& runtime) {
  const int cores = static_cast<int>(std::thread::hardware_concurrency());
  at::set_num_threads(runtime.threads > 0 ? runtime.threads : std::max(1, cores));
  if (runtime.device == "auto" || runtime.device == "cpu") return;
  const bool cuda = runtime.device.rfind("cuda", 0) == 0;
  if (!cuda)
    throw OptionError("device: expected auto, cpu or cuda:N, got '" + runtime.device + "'");
  if (!at::hasCUDA())
    throw OptionError("device: '" + runtime.device + "' asked for, but this LibTorch sees no GPU");
}

at::Device chosen_device(const RuntimeOptions& runtime) {
  if (runtime.device == "auto") return at::hasCUDA() ? at::Device("cuda:0") : at::Device("cpu");
  return at::Device(runtime.device);
}

json run_stage(RunCommand& command, const run::RunFolder& folder, bool resume) {
  const auto lock = folder.lock();
  set_log_file(folder / "log.txt");
  apply_runtime(command.runtime);
  command.prepare();
  if (!resume) folder.write_config(io::to_toml(command.options()));
  const bool recorded = resume && folder.read_record().contains("options");
  folder.update_record(recorded ? json{{"status", "running"}, {"error", nullptr}}
                                : started_record(command));
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  try {
    json result = command.run(folder, resume);
    folder.update_record({{"result", result}});
    record_end(folder, "done", command.exit_status(result), seconds());
    return result;
  } catch (const run::Interrupted& stop) {
    record_end(folder, "interrupted", 128 + stop.signal(), seconds());
    throw;
  } catch (const std::exception& error) {
    folder.update_record({{"error", error.what()}});
    record_end(folder, "failed", static_cast<int>(exit_code(error)), seconds());
    throw;
  }
}

json RunCommand::document(const json& result, const run::RunFolder& folder) const {
  json document = result;
  document["run"] = folder.path().string();
  return document;
}

int execute(RunCommand& command, const Output& output, const run::RunFolder* existing) {
  command.show_progress = command.show_progress && !output.quiet;
  command.trust = output.trust;
  std::optional<run::RunFolder> folder;
  if (existing) {
    folder = *existing;
  } else {
    apply_runtime(command.runtime);
    command.prepare();  // what is wrong with the input is said before a folder is made
    const auto name = output.name.empty() ? command.default_name() : output.name;
    folder = run::RunFolder::create(output.out, command.command(), name);
  }
  try {
    const json result = run_stage(command, *folder, existing != nullptr);
    if (output.as_json) {
      std::puts(command.document(result, *folder).dump(2).c_str());
    } else {
      std::fputs(command.summary(result, *folder).c_str(), stdout);
    }
    return command.exit_status(result);
  } catch (const run::Interrupted&) {
    log_info("interrupted; go on with: namid resume ", folder->path().string());
    throw;
  } catch (const std::exception&) {
    log_info("run folder: ", folder->path().string());
    throw;
  }
}

}  // namespace namid::app
