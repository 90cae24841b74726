#include "meta/dump_frames.h"

#include "base/crc32c.h"
#include "base/io.h"
#include "base/limits.h"

namespace weir::meta {

namespace {

constexpr std::string_view kHead = "weir dump 1\n";
constexpr std::string_view kAnyHead = "weir dump ";
constexpr size_t kFrameHeadBytes = 8;  // length and checksum

Bytes frame_of(std::string_view payload) {
  return Encoder().u32(static_cast<uint32_t>(payload.size())).u32(crc32c(payload)).raw(payload).bytes();
}

Failure damaged(uint64_t offset) {
  return error(Code::kCorrupt, "the dump is damaged or cut short at byte {}; make another one", offset);
}

}  // namespace

Status DumpWriter::begin(std::string_view settings) {
  const Bytes head = Bytes(kHead) + frame_of(settings);
  TRY(io::write_at(fd_, head, offset_));
  offset_ += head.size();
  return {};
}

Status DumpWriter::add(std::string_view key, std::string_view value) {
  pending_ += Encoder().sized(key).sized(value).bytes();
  ++rows_;
  return pending_.size() >= limits::kTransactionBytes / 2 ? flush() : Status();
}

Status DumpWriter::flush() {
  if (pending_.empty()) return {};
  const Bytes frame = frame_of(pending_);
  TRY(io::write_at(fd_, frame, offset_));
  offset_ += frame.size();
  pending_.clear();
  return {};
}

Status DumpWriter::finish() {
  TRY(flush());
  const Bytes end = frame_of("") + frame_of(Encoder().u64(rows_).bytes());
  TRY(io::write_at(fd_, end, offset_));
  offset_ += end.size();
  return {};
}

Result<Bytes> DumpReader::read_exactly(size_t count) {
  Bytes bytes(count, '\0');
  ASSIGN_OR_RETURN(const size_t got, io::read_at(fd_, bytes.data(), count, offset_));
  if (got != count) return damaged(offset_);
  offset_ += count;
  return bytes;
}

Result<Bytes> DumpReader::read_frame() {
  const uint64_t begin = offset_;
  ASSIGN_OR_RETURN(const Bytes head, read_exactly(kFrameHeadBytes));
  Decoder decoder(head);
  const uint32_t length = decoder.u32();
  const uint32_t checksum = decoder.u32();
  if (length > limits::kTransactionBytes) return damaged(begin);
  ASSIGN_OR_RETURN(Bytes payload, read_exactly(length));
  if (crc32c(payload) != checksum) return damaged(begin);
  return payload;
}

Result<Bytes> DumpReader::begin() {
  auto head = read_exactly(kHead.size());
  if (!head && head.error().code != Code::kCorrupt) return head;
  if (!head || !head->starts_with(kAnyHead)) return error(Code::kInvalid, "this is not a dump of a Weir volume");
  if (*head != kHead) return error(Code::kUnsupported, "the dump is of a newer Weir; load it with that");
  return read_frame();
}

Result<std::optional<std::vector<DumpRow>>> DumpReader::next() {
  const uint64_t begin = offset_;
  ASSIGN_OR_RETURN(const Bytes payload, read_frame());
  if (payload.empty()) {
    ASSIGN_OR_RETURN(const Bytes end, read_frame());
    Decoder decoder(end);
    const uint64_t rows = decoder.u64();
    if (!decoder.finish("end of the dump") || rows != rows_) return damaged(begin);
    return std::nullopt;
  }
  std::vector<DumpRow> rows;
  Decoder decoder(payload);
  while (decoder.remaining() > 0 && !decoder.failed()) {
    const std::string_view key = decoder.sized();
    const std::string_view value = decoder.sized();
    if (key.size() > limits::kKeyBytes || value.size() > limits::kValueBytes) return damaged(begin);
    rows.emplace_back(key, value);
  }
  if (decoder.failed()) return damaged(begin);
  rows_ += rows.size();
  return rows;
}

}  // namespace weir::meta
