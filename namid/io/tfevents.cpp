// SPDX-License-Identifier: Apache-2.0
#include "namid/io/tfevents.h"

#include <bit>

#include "namid/io/crc32c.h"
#include "namid/io/protobuf.h"

namespace namid::io {
namespace {

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

/// Event { double wall_time = 1; int64 step = 2; ... }
ProtobufWriter start_event(double wall_time, std::int64_t step) {
  ProtobufWriter event;
  event.number(1, wall_time).varint(2, step);
  return event;
}

std::uint32_t masked_crc(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

}  // namespace

std::string tfrecord(std::string_view payload) {
  std::string out;
  append_raw(out, static_cast<std::uint64_t>(payload.size()));
  append_raw(out, masked_crc(out));
  out.append(payload);
  append_raw(out, masked_crc(payload));
  return out;
}

std::string event_file_version(double wall_time) {
  return tfrecord(start_event(wall_time, 0).bytes(3, "brain.Event:2").text());
}

std::string event_session_start(double wall_time, std::int64_t step) {
  ProtobufWriter session_log;  // SessionLog { SessionStatus status = 1; }, START = 1
  session_log.varint(1, 1);
  return tfrecord(start_event(wall_time, step).bytes(7, session_log.text()).text());
}

std::string event_scalars(double wall_time, std::int64_t step,
                          const std::map<std::string, double>& scalars) {
  ProtobufWriter summary;
  for (const auto& [tag, number] : scalars) {
    ProtobufWriter value;  // Value { string tag = 1; float simple_value = 2; }
    value.bytes(1, tag).number(2, static_cast<float>(number));
    summary.bytes(1, value.text());
  }
  return tfrecord(start_event(wall_time, step).bytes(5, summary.text()).text());
}

}  // namespace namid::io
