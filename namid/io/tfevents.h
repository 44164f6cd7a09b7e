// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace namid::io {

// TensorBoard event files: TFRecord framing around protocol-buffer messages (tensorflow/core/util/
// event.proto and framework/summary.proto). Each function gives the bytes of one framed record; a
// file is their concatenation and starts with `event_file_version`. `wall_time`: seconds since
// 1970.

/// length (8 bytes), masked CRC-32C of the length, payload, masked CRC-32C of the payload; masked:
/// rotate right by 15, add 0xa282ead8.
std::string tfrecord(std::string_view payload);

/// The first record of every file ("brain.Event:2").
std::string event_file_version(double wall_time);

/// Tells TensorBoard to forget what earlier files say about `step` and later ones (a resumed run).
std::string event_session_start(double wall_time, std::int64_t step);

/// One event with a scalar (stored as float32) per tag.
std::string event_scalars(double wall_time, std::int64_t step,
                          const std::map<std::string, double>& scalars);

}  // namespace namid::io
