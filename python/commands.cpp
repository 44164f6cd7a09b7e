// SPDX-License-Identifier: Apache-2.0
#include <csignal>

#include <ATen/Parallel.h>

#include "apps/namid/command.h"
#include "apps/namid/evaluate_command.h"
#include "namid/core/log.h"
#include "namid/eval/evaluation.h"
#include "namid/run/stop_token.h"
#include "python/bindings.h"

namespace namid::python {
namespace {

using app::RunCommand;

/// While it lives, SIGINT and SIGTERM ask the work in hand to finish its step and save; a second
/// one ends the process. Afterwards Python's handlers are back.
class SignalScope {
 public:
  /// `on`: false outside Python's main thread, where signals are somebody else's.
  explicit SignalScope(bool on) : on_(on) {
    if (!on_) return;
    sigaction(SIGINT, nullptr, &interrupt_);
    sigaction(SIGTERM, nullptr, &terminate_);
    run::handle_signals();
  }
  SignalScope(const SignalScope&) = delete;
  SignalScope& operator=(const SignalScope&) = delete;
  ~SignalScope() {
    if (!on_) return;
    sigaction(SIGINT, &interrupt_, nullptr);
    sigaction(SIGTERM, &terminate_, nullptr);
    run::process_stop_token().request(0);
  }

 private:
  bool on_;
  struct sigaction interrupt_ {
  }, terminate_{};
};

/// What a run changes in the process: threads, log file; put back at the end.
class ProcessScope {
 public:
  ProcessScope() : threads_(at::get_num_threads()) {}
  ProcessScope(const ProcessScope&) = delete;
  ProcessScope& operator=(const ProcessScope&) = delete;
  ~ProcessScope() {
    at::set_num_threads(threads_);
    set_log_file({});
  }

 private:
  int threads_;
};

/// How a run is made; from Python keywords.
struct RunUse {
  std::string out, name;
  bool show_progress = true, main_thread = true, trust = false;
};
RunUse use_of(const py::dict& given) {
  return {given["out"].cast<std::string>(), given["name"].cast<std::string>(),
          given["progress"].cast<bool>(), given["main_thread"].cast<bool>(),
          given["trust"].cast<bool>()};
}

/// {value of the selector, if there is one}, then all, then the profile's, then all again: as
/// flags.
void give(RunCommand& command, const py::dict& options) {
  const auto set = command.options();
  set_options(set, options);
  command.apply_profile();
  set_options(set, options);
}

py::tuple finished(RunCommand& command, const run::RunFolder& folder, bool resume,
                   const RunUse& use) {
  nlohmann::json result;
  try {
    const SignalScope signals(use.main_thread);
    const py::gil_scoped_release no_gil;
    result = app::run_stage(command, folder, resume);
  } catch (const run::Interrupted& stop) {
    const auto text = "interrupted; go on with: namid.resume('" + folder.path().string() + "')";
    if (stop.signal() == SIGTERM) {
      PyErr_SetObject(PyExc_SystemExit, py::int_(128 + SIGTERM).ptr());
    } else {
      PyErr_SetString(PyExc_KeyboardInterrupt, text.c_str());
    }
    throw py::error_already_set();
  }
  return py::make_tuple(folder.path().string(), result.dump());
}

py::tuple run_new(RunCommand& command, const RunUse& use) {
  const ProcessScope process;
  command.show_progress = use.show_progress;
  command.trust = use.trust;
  std::optional<run::RunFolder> folder;
  {
    const py::gil_scoped_release no_gil;
    app::apply_runtime(command.runtime);
    command.prepare();
    const auto name = use.name.empty() ? command.default_name() : use.name;
    folder = run::RunFolder::create(use.out, command.command(), name);
  }
  return finished(command, *folder, false, use);
}

py::tuple run_command(const std::string& name, const py::dict& options, const py::dict& use) {
  const auto command = app::make_command(name);
  give(*command, options);
  return run_new(*command, use_of(use));
}

py::tuple resume(const std::string& path, const py::dict& use) {
  const ProcessScope process;
  const auto folder = run::RunFolder::open(path);
  const auto command = app::command_of(folder);
  command->show_progress = use["progress"].cast<bool>();
  command->trust = use["trust"].cast<bool>();
  return finished(*command, folder, true, use_of(use));
}

/// `namid evaluate` of a model and images that are in memory.
class EvaluateInMemory final : public app::EvaluateCommand {
 public:
  EvaluateInMemory(models::Classifier model, data::Dataset images) {
    classifier_ = std::move(model);
    test_ = std::move(images);
    inputs.model = "a model in memory: " + classifier_.info().name;
    data.data = test_.name;
  }
  void prepare() override {
    if (std::exchange(prepared_, true)) return;
    prepare_attacks();
    see_surrogate();
    eval::check_evaluation(classifier_, test_, attacks_, evaluate);
  }
};

data::Dataset images_of(const py::dict& given) {
  data::Dataset images;
  images.name = given["name"].cast<std::string>();
  images.images = given["images"].cast<at::Tensor>();
  images.labels = given["labels"].cast<at::Tensor>();
  images.num_classes = given["num_classes"].cast<std::int64_t>();
  images.ids = given["ids"].cast<SampleIds>();
  images.class_names = given["class_names"].cast<std::vector<std::string>>();
  return images;
}

py::tuple evaluate(const py::object& model, const py::dict& images, const py::dict& options,
                   const py::dict& use) {
  auto dataset = images_of(images);
  const ModelUse borrow{.input_shape = dataset.shape(),
                        .num_classes = dataset.num_classes,
                        .parameters = use["state"].cast<std::vector<at::Tensor>>(),
                        .name = use["model_name"].cast<std::string>()};
  const auto* own = built_in(model);
  std::optional<BorrowedModel> borrowed;
  if (!own) {
    borrowed.emplace(model, borrow);
    borrowed->classifier().to(use["device"].cast<at::Device>());
  }
  EvaluateInMemory command(own ? *own : borrowed->classifier(), std::move(dataset));
  give(command, options);
  return run_new(command, use_of(use));
}

}  // namespace

void bind_commands(py::module_& module) {
  module.def("command_options", [](const std::string& name) {
    const auto command = app::make_command(name);
    return describe(command->options());
  });
  module.def("run_command", &run_command);
  module.def("resume", &resume);
  module.def("evaluate", &evaluate);
}

}  // namespace namid::python
