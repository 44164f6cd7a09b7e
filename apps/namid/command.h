// SPDX-License-Identifier: Apache-2.0
#pragma once

// One file per command. A command is a name, a sentence, its positional arguments and a function;
// its options are declared by the structs it adds to its OptionSet.

#include <ATen/core/Tensor.h>

#include <CLI/CLI.hpp>
#include <filesystem>
#include <functional>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "namid/core/error.h"
#include "namid/core/option_set.h"
#include "namid/engine/compile.h"
#include "namid/models/classifier.h"
#include "namid/run/run_folder.h"

namespace namid::app {
/// Memory order of convolutions; results differ by rounding only.
enum class MemoryFormat { automatic, contiguous, channels_last };
/// Whether attacks see, and training runs, compiled networks (engine/compile.h).
enum class Engine { automatic, off };
}  // namespace namid::app

namespace namid {
template <>
struct EnumNames<app::MemoryFormat> {
  static constexpr std::array kNames{"auto", "contiguous", "channels-last"};
};
template <>
struct EnumNames<app::Engine> {
  static constexpr std::array kNames{"auto", "off"};
};
}  // namespace namid

namespace namid::app {

using nlohmann::json;

/// What every computing command accepts besides its own options.
struct RuntimeOptions {
  std::string device = "auto";
  int threads = 0;
  MemoryFormat memory_format = MemoryFormat::automatic;
  Engine engine = Engine::automatic;
  static constexpr auto fields() {
    using T = RuntimeOptions;
    return std::tuple{
        field("device", &T::device, "auto, cpu or cuda:N"),
        field("threads", &T::threads, "CPU threads; 0: one per core", at_least(0)),
        field("memory_format", &T::memory_format,
              "order of images and convolution weights in memory; auto: channels-last"),
        field("engine", &T::engine,
              "compiled forwards and input gradients for the attacks of evaluate, attack, curve, "
              "transfer, mi, train and estimate, and train's convolutions (docs/engine.md); auto: "
              "on the CPU, where the layers are known")};
  }
};
NAMID_CHECK_FIELDS(RuntimeOptions);

/// Where the results go and how they are shown; not part of a run's record.
struct Output {
  std::string out = "runs";  ///< folder under which run folders are made
  std::string name;          ///< name of the run; empty: a telling default
  bool as_json = false;      ///< print one JSON document on stdout
  bool quiet = false;        ///< no progress on stderr
  bool trust = false;        ///< TorchScript models may be run; never read out of a file
};

/// Adds --out, --name, --json and --quiet.
void add_output_flags(CLI::App& app, Output& output);
/// Adds --trust.
void add_trust_flag(CLI::App& app, bool& trust);

/// A command with options, a run folder and a result: train, estimate, evaluate, attack, demo.
class RunCommand {
 public:
  virtual ~RunCommand() = default;
  virtual std::string command() const = 0;       ///< "train"
  virtual std::string default_name() const = 0;  ///< run name if none is given
  virtual OptionSet options() = 0;               ///< references into the object
  /// Path of the option that decides which others there are ("attack.name"); empty: there is none.
  /// `options` declares those that belong to its present value.
  virtual std::string selector() const { return ""; }
  /// Changes the defaults of other options to those of the present profile. What file and flags
  /// give is already there when this is called, and is given again afterwards: it wins.
  virtual void apply_profile() {}
  /// Reads inputs and checks what can be checked before a run folder exists.
  virtual void prepare() = 0;
  /// Does the work in `folder`, from its checkpoint if `resume`; returns the record's "result".
  virtual json run(const run::RunFolder& folder, bool resume) = 0;
  /// What a person reads on stdout afterwards.
  virtual std::string summary(const json& result, const run::RunFolder& folder) const = 0;
  /// What --json prints: the result and the run folder unless a command says otherwise.
  virtual json document(const json& result, const run::RunFolder& folder) const;
  /// The exit code of a run that came to its end with this result.
  virtual int exit_status(const json&) const { return 0; }
  /// Whether `namid resume` of a finished run looks for what can be added to it.
  virtual bool goes_on_when_done() const { return false; }
  /// Parts of the record known after `prepare`: "data", "model", ...
  virtual json record() const { return json::object(); }

  RuntimeOptions runtime;
  bool show_progress = true;
  bool trust = false;  ///< Output::trust

 protected:
  bool prepared_ = false;  ///< `prepare` reads its inputs once
};

/// Runs `command` in a new folder under output.out, or again in `existing`; keeps the record's
/// status, exit code and times. Returns the process's exit code; throws what the command throws.
int execute(RunCommand& command, const Output& output, const run::RunFolder* existing = nullptr);

/// Runs `command` inside `folder` and returns the result; `execute` without printing. A stage that
/// is done already is not run again: its recorded result is returned.
json run_stage(RunCommand& command, const run::RunFolder& folder, bool resume);

/// Applies device and threads; OptionError for a device this LibTorch does not have.
void apply_runtime(const RuntimeOptions& runtime);
at::Device chosen_device(const RuntimeOptions& runtime);
/// Moves a built-in model to the chosen device and memory format.
void place(const models::Classifier& model, const RuntimeOptions& runtime);
/// The model as attacks are to see it, once it is placed: compiled, if the options and its layers
/// allow it; else itself, and the log says why.
engine::Compiled seen_by_attacks(const models::Classifier& model, const RuntimeOptions& runtime);

/// Adds a subcommand that parses the options of `Command`, an aggregate of a RunCommand, and
/// executes it. `positional` adds its positional arguments. The selector of a command that has one
/// is looked for in `arguments`, the words after the command, since its value decides on the flags.
template <class Command>
void add_run_command(CLI::App& app, const std::string& help, const std::string& positional = "",
                     std::span<const std::string> arguments = {});

// One function per file: adds the command to the program.
void add_demo(CLI::App& app);
void add_train(CLI::App& app);
void add_estimate(CLI::App& app);
void add_evaluate(CLI::App& app);
/// `arguments`: the program's, as far as they are this command's.
void add_attack(CLI::App& app, std::span<const std::string> arguments);
void add_mi(CLI::App& app, std::span<const std::string> arguments);
void add_verify(CLI::App& app);
void add_compare(CLI::App& app);
void add_ledger(CLI::App& app);
void add_report(CLI::App& app);
void add_reproduce(CLI::App& app);
void add_transfer(CLI::App& app);
void add_resume(CLI::App& app);
void add_list(CLI::App& app);
void add_inspect(CLI::App& app);
void add_convert(CLI::App& app);
void add_doctor(CLI::App& app);

/// The command line that gives the command's present options: every flag that is not at its
/// default, whatever the profile.
std::vector<std::string> command_line(RunCommand& command);

/// The command object of a recorded run, for `resume`: its name in run.json → a fresh object.
std::unique_ptr<RunCommand> make_command(const std::string& name);
/// The command of a run that is to go on, with the options of its config.toml. OptionError for a
/// run that is done.
std::unique_ptr<RunCommand> command_of(const run::RunFolder& folder);

/// Throws this to end with an exit code after everything was said.
struct Exit {
  int code;
};

}  // namespace namid::app
