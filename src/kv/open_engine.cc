#include "kv/engine.h"
#include "kv/memory/memory_engine.h"
#include "kv/postgres/postgres_engine.h"
#include "kv/rocksdb/rocksdb_engine.h"

namespace weir::kv {
namespace {

constexpr std::string_view kRocksdbScheme = "rocksdb://";

Result<std::unique_ptr<Engine>> open_path(const std::string& url, std::string path, bool create) {
  if (!path.starts_with('/'))
    return error(Code::kInvalid, "{} is not a metadata URL: the path must be absolute (rocksdb:///path)", url);
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return open_rocksdb(path, create);
}

}  // namespace

Result<std::unique_ptr<Engine>> open_engine(const std::string& url, bool create, const Layout& layout) {
  if (url.starts_with(kRocksdbScheme)) return open_path(url, url.substr(kRocksdbScheme.size()), create);
  if (url.starts_with('/')) return open_path(url, url, create);
  if (url.starts_with("postgres://") || url.starts_with("postgresql://")) return open_postgres(url, create, layout);
  if (url == "memory:") return std::make_unique<MemoryEngine>();
  // Of something with a host, user and password may be part: name only the scheme.
  const size_t scheme = url.find("://");
  return error(Code::kInvalid, "{} is not a metadata URL: use an absolute path, rocksdb:///path or postgres://host/db",
               scheme == std::string::npos ? url : url.substr(0, scheme) + "://…");
}

}  // namespace weir::kv
