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

std::string_view split_extensions(const fuse_in_header& header, std::string_view* body) {
  const size_t size = size_t{header.total_extlen} * 8;
  if (size == 0 || size > body->size()) return {};
  std::string_view extensions = body->substr(body->size() - size);
  body->remove_suffix(size);
  return extensions;
}

bool find_supplementary_group(std::string_view extensions, uint32_t* group) {
  while (!extensions.empty()) {
    BodyReader reader(extensions);
    const auto header = reader.take<fuse_ext_header>();
    if (reader.failed() || header.size < sizeof(header) || header.size > extensions.size()) return false;
    if (header.type == kExtGroups) {
      BodyReader groups(extensions.substr(sizeof(header), header.size - sizeof(header)));
      const auto count = groups.take<uint32_t>();
      const auto first = groups.take<uint32_t>();
      if (groups.failed() || count == 0) return false;
      *group = first;
      return true;
    }
    extensions.remove_prefix(header.size);
  }
  return false;
}

}  // namespace weir::fuse
