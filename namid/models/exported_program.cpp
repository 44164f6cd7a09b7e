// SPDX-License-Identifier: Apache-2.0
#include "namid/models/exported_program.h"

#include "namid/core/error.h"
#include "namid/core/format.h"

namespace namid::models {
namespace {

using c10::IValue;

void collect_values(const Source& source, std::vector<std::size_t>& out) {
  if (source.kind == Source::Kind::value || source.kind == Source::Kind::tensor)
    out.push_back(source.value);
  for (const auto& entry : source.entries) collect_values(entry, out);
}

void store_list(const IValue& value, const io::Pt2Result& result, std::vector<IValue>& values) {
  const auto tensors = value.toTensorVector();
  if (tensors.size() != result.values.size())
    throw DataError(str("expected ", result.values.size(), " tensors, got ", tensors.size()));
  for (std::size_t i = 0; i < tensors.size(); ++i) values[result.values[i]] = tensors[i];
}

void store(const Call& call, std::vector<IValue>& stack, std::vector<IValue>& values) {
  if (stack.size() != call.results.size())
    throw DataError(str("expected ", call.results.size(), " results, got ", stack.size()));
  for (std::size_t i = 0; i < stack.size(); ++i) {
    const auto& result = call.results[i];
    if (result.is_list)
      store_list(stack[i], result, values);
    else if (!result.values.empty())
      values[result.values.front()] = std::move(stack[i]);
  }
}

void run(const Call& call, std::vector<IValue>& values, const at::Device& device,
         std::vector<IValue>& stack) {
  stack.clear();
  for (const auto& argument : call.arguments) stack.push_back(argument.make(values, device));
  if (call.check) call.check(stack);
  if (call.op) {
    call.op->callBoxed(stack);
  } else {
    auto number = call.symbolic(stack);
    stack.clear();
    stack.push_back(std::move(number));
  }
  store(call, stack, values);
  for (const auto value : call.dead) values[value] = {};
}

}  // namespace

ExportedGraph::ExportedGraph(const io::Pt2Program& program)
    : value_count_(program.value_count),
      input_(program.input.value),
      output_(program.output.value),
      input_type_(scalar_type(program.input.dtype)) {
  for (const auto& tensor : program.state) state_values_.push_back(tensor.value);
  for (const auto& node : program.nodes) {
    auto call = make_call(node);
    if (call.skipped) continue;
    in_place_ = in_place_ || call.in_place;
    views_ = views_ || node.target.starts_with("torch.ops.aten.view.");
    calls_.push_back(std::move(call));
  }
  check_changes(program);
  find_last_uses();
}

void ExportedGraph::check_changes(const io::Pt2Program& program) const {
  for (const auto& call : calls_) {
    if (!call.in_place || call.arguments.empty()) continue;
    for (const auto& tensor : program.state)
      if (call.arguments[0].kind == Source::Kind::tensor && call.arguments[0].value == tensor.value)
        throw DataError(str("node '", call.name, "': operator ", call.target, " changes ",
                            tensor.name,
                            ": exported in train mode perhaps; call model.eval() and "
                            "export again"));
  }
}

void ExportedGraph::find_last_uses() {
  std::vector<bool> used(value_count_, false);
  used[output_] = true;
  for (auto call = calls_.rbegin(); call != calls_.rend(); ++call) {
    std::vector<std::size_t> values;
    for (const auto& argument : call->arguments) collect_values(argument, values);
    for (const auto& result : call->results)
      values.insert(values.end(), result.values.begin(), result.values.end());
    for (const auto value : values) {
      if (used[value]) continue;
      used[value] = true;
      call->dead.push_back(value);
    }
  }
}

at::Tensor ExportedGraph::operator()(const at::Tensor& x,
                                     const std::vector<at::Tensor>& state) const {
  std::vector<IValue> values(value_count_), stack;
  for (std::size_t i = 0; i < state.size(); ++i) values[state_values_[i]] = state[i];
  const auto images = x.to(input_type_);
  const auto order = fixed_order() ? at::MemoryFormat::Contiguous : at::MemoryFormat::Preserve;
  values[input_] = in_place_ ? images.clone(order) : images;
  for (const auto& call : calls_) {
    try {
      run(call, values, x.device(), stack);
    } catch (c10::Error& error) {
      error.add_context(str("in node '", call.name, "', operator ", call.target));
      throw;
    } catch (const DataError& error) {
      throw DataError(str("node '", call.name, "', operator ", call.target, ": ", error.what()));
    }
  }
  const auto& output = values[output_];
  if (!output.isTensor()) throw DataError("the program's output is not a tensor");
  return output.toTensor().to(x.scalar_type());
}

}  // namespace namid::models
