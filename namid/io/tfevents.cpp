// SPDX-License-Identifier: Apache-2.0
#include "namid/io/tfevents.h"

#include <bit>

#include "namid/io/crc32c.h"

namespace namid::io {
namespace {

static_assert(std::endian::native == std::endian::little);

template <class T>
void append_raw(std::string& out, T value) {
  out.append(reinterpret_cast<const char*>(&value), sizeof value);
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out.push_back(static_cast<char>(value | 0x80));
  out.push_back(static_cast<char>(value));
}

enum class Wire { varint = 0, fixed64 = 1, bytes = 2, fixed32 = 5 };

void append_key(std::string& out, int field, Wire wire) {
  append_varint(out, static_cast<std::uint64_t>(field << 3 | static_cast<int>(wire)));
}

void append_bytes(std::string& out, int field, std::string_view bytes) {
  append_key(out, field, Wire::bytes);
  append_varint(out, bytes.size());
  out.append(bytes);
}

/// Event { double wall_time = 1; int64 step = 2; ... }
std::string start_event(double wall_time, std::int64_t step) {
  std::string event;
  append_key(event, 1, Wire::fixed64);
  append_raw(event, wall_time);
  append_key(event, 2, Wire::varint);
  append_varint(event, static_cast<std::uint64_t>(step));
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
  auto event = start_event(wall_time, 0);
  append_bytes(event, 3, "brain.Event:2");
  return tfrecord(event);
}

std::string event_session_start(double wall_time, std::int64_t step) {
  std::string session_log;
  append_key(session_log, 1, Wire::varint);  // SessionLog { SessionStatus status = 1; }, START = 1
  append_varint(session_log, 1);
  auto event = start_event(wall_time, step);
  append_bytes(event, 7, session_log);
  return tfrecord(event);
}

std::string event_scalars(double wall_time, std::int64_t step,
                          const std::map<std::string, double>& scalars) {
  std::string summary;
  for (const auto& [tag, number] : scalars) {
    std::string value;  // Value { string tag = 1; float simple_value = 2; }
    append_bytes(value, 1, tag);
    append_key(value, 2, Wire::fixed32);
    append_raw(value, static_cast<float>(number));
    append_bytes(summary, 1, value);
  }
  auto event = start_event(wall_time, step);
  append_bytes(event, 5, summary);
  return tfrecord(event);
}

}  // namespace namid::io
