// SPDX-License-Identifier: Apache-2.0
#include "namid/engine/micro_batches.h"

#include <ATen/Functions.h>

#include <new>
#include <string_view>

#include "namid/core/error.h"
#include "namid/core/log.h"

namespace namid::engine {
namespace {

bool is_out_of_memory(const std::exception& error) {
  return dynamic_cast<const ResourceError*>(&error) ||
         dynamic_cast<const std::bad_alloc*>(&error) ||
         std::string_view(error.what()).find("can't allocate memory") != std::string_view::npos;
}

/// `attempt()`, or undefined where memory did not suffice for more than one row; buffers are then
/// given back.
template <class Attempt>
at::Tensor if_memory_suffices(const Network& network, std::int64_t rows, const Attempt& attempt) {
  try {
    return attempt();
  } catch (const std::exception& error) {
    if (rows == 1 || !is_out_of_memory(error)) throw;
    log_info("engine: a batch of ", rows, " goes through in halves: ", error.what());
  }
  network.release_memory();
  return {};
}

/// `of_rows` of both halves of the rows, put together.
template <class OfRows>
at::Tensor by_halves(std::int64_t rows, const OfRows& of_rows) {
  const auto half = (rows + 1) / 2;
  const auto first = of_rows(0, half);
  return at::cat({first, of_rows(half, rows - half)});
}

at::Tensor gradient_of_piece(const Network& network, const at::Tensor& x, const Trace& trace,
                             const at::Tensor& gradient) {
  const auto whole = if_memory_suffices(network, trace.rows,
                                        [&] { return network.input_gradient(trace, gradient); });
  if (whole.defined()) return whole;
  return by_halves(trace.rows, [&](std::int64_t first, std::int64_t count) {
    const auto images = x.narrow(0, first, count);
    std::vector<Trace> traces;
    forward_in_pieces(network, images, &traces);
    return input_gradient_in_pieces(network, images, traces, gradient.narrow(0, first, count));
  });
}

}  // namespace

at::Tensor forward_in_pieces(const Network& network, const at::Tensor& x,
                             std::vector<Trace>* traces) {
  Trace trace;
  const auto whole = if_memory_suffices(
      network, x.size(0), [&] { return network.forward(x, traces ? &trace : nullptr); });
  if (whole.defined()) {
    if (traces) traces->push_back(std::move(trace));
    return whole;
  }
  trace = {};
  return by_halves(x.size(0), [&](std::int64_t first, std::int64_t count) {
    return forward_in_pieces(network, x.narrow(0, first, count), traces);
  });
}

at::Tensor input_gradient_in_pieces(const Network& network, const at::Tensor& x,
                                    const std::vector<Trace>& traces, const at::Tensor& gradient) {
  if (traces.size() == 1) return gradient_of_piece(network, x, traces.front(), gradient);
  std::vector<at::Tensor> parts;
  std::int64_t first = 0;
  for (const auto& trace : traces) {
    parts.push_back(gradient_of_piece(network, x.narrow(0, first, trace.rows), trace,
                                      gradient.narrow(0, first, trace.rows)));
    first += trace.rows;
  }
  return at::cat(parts);
}

}  // namespace namid::engine
