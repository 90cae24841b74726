#include "daemon/volume/metadata_url.h"

#include <algorithm>
#include <cctype>

#include "fuse/mount_info.h"
#include "kv/postgres/postgres_url.h"

namespace weir {

namespace {

constexpr std::string_view kRocksdb = "rocksdb://";

Result<MetadataUrl> embedded(std::string_view text, std::string_view path) {
  if (path.find('\0') != std::string_view::npos)
    return error(Code::kInvalid, "the metadata path has a NUL character in it");
  std::string directory = fuse::lexically_absolute(path);
  if (directory == "/") return error(Code::kInvalid, "'{}' is the root directory; name a directory below it", text);
  return MetadataUrl{fmt::format("{}{}", kRocksdb, directory), directory, fmt::format("{}{}", kRocksdb, directory)};
}

}  // namespace

bool looks_like_url(std::string_view text) {
  size_t end = text.find("://");
  if (end == std::string_view::npos || end == 0) return false;
  return std::all_of(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(end),
                     [](unsigned char c) { return std::isalnum(c) || c == '+' || c == '-' || c == '.'; });
}

Result<MetadataUrl> parse_metadata_url(std::string_view text) {
  if (text.empty())
    return error(Code::kInvalid,
                 "the metadata URL is empty; write a path, rocksdb:///path or postgres://host/database");
  if (text.starts_with(kRocksdb)) {
    std::string_view path = text.substr(kRocksdb.size());
    if (!path.starts_with('/'))
      return error(Code::kInvalid, "'{}' does not name an absolute path; write rocksdb:///path", text);
    return embedded(text, path);
  }
  if (text.starts_with("postgres://") || text.starts_with("postgresql://")) {
    ASSIGN_OR_RETURN(kv::PostgresUrl parsed, kv::parse_postgres_url(std::string(text)));
    return MetadataUrl{std::string(text), "", parsed.display};
  }
  if (looks_like_url(text))
    return error(Code::kInvalid,
                 "'{}' is not a metadata URL; write a path, rocksdb:///path or postgres://host/database", text);
  return embedded(text, text);
}

}  // namespace weir
