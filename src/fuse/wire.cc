#include "fuse/wire.h"

namespace weir::fuse {

std::string_view BodyReader::bytes(size_t count) {
  if (failed_ || count > rest_.size()) {
    failed_ = true;
    return {};
  }
  std::string_view piece = rest_.substr(0, count);
  rest_.remove_prefix(count);
  return piece;
}

std::string_view BodyReader::text() {
  const size_t end = failed_ ? std::string_view::npos : rest_.find('\0');
  if (end == std::string_view::npos) {
    failed_ = true;
    return {};
  }
  std::string_view piece = rest_.substr(0, end);
  rest_.remove_prefix(end + 1);
  return piece;
}

std::string_view BodyReader::name() {
  std::string_view piece = text();
  if (piece.empty()) failed_ = true;
  return piece;
}

std::string_view without_extensions(const fuse_in_header& header, std::string_view body) {
  const size_t size = size_t{header.total_extlen} * 8;
  if (size <= body.size()) body.remove_suffix(size);
  return body;
}

}  // namespace weir::fuse
