#include "object/open_store.h"

#include <filesystem>

#include "object/directory/directory_store.h"
#include "object/s3/s3_store.h"

namespace weir::object {

namespace {

constexpr std::string_view kFileScheme = "file://";

Result<std::string> store_path(std::string_view url) {
  std::string_view path = url;
  if (url.starts_with(kFileScheme)) {
    path.remove_prefix(kFileScheme.size());
    if (!path.starts_with('/'))
      return error(Code::kInvalid, "store URL '{}' does not name an absolute path: write file:///path", url);
  } else if (url.find("://") != std::string_view::npos) {
    return error(Code::kInvalid, "unknown store URL '{}': use a path, file:///path or s3://bucket/prefix", url);
  }
  if (path.empty())
    return error(Code::kInvalid, "the store URL is empty: use a path, file:///path or s3://bucket/prefix");
  if (path.find('\0') != std::string_view::npos)
    return error(Code::kInvalid, "the store URL has a NUL character in it");
  std::error_code failure;
  std::filesystem::path absolute = std::filesystem::absolute(path, failure);
  if (failure) return error(Code::kIo, "the working directory is unknown: {}", failure.message());
  std::string normal = absolute.lexically_normal().string();
  while (normal.size() > 1 && normal.ends_with('/')) normal.pop_back();
  if (normal == "/") return error(Code::kInvalid, "the root directory cannot be an object store: name one below it");
  return normal;
}

bool is_s3(std::string_view url) { return url.starts_with(kS3Scheme); }

Result<std::unique_ptr<S3Client>> s3_client(std::string_view url, const Clock& clock) {
  ASSIGN_OR_RETURN(S3Location location, S3Location::parse(url));
  return connect_s3(std::move(location), clock);
}

}  // namespace

Result<std::string> canonical_store_url(std::string_view url) {
  if (is_s3(url)) {
    ASSIGN_OR_RETURN(S3Location location, S3Location::parse(url));
    TRY(location.complete());
    return location.url();
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  return fmt::format("{}{}", kFileScheme, path);
}

Result<std::unique_ptr<ObjectStore>> create_store(std::string_view url, std::string_view marker, const Clock& clock) {
  if (is_s3(url)) {
    ASSIGN_OR_RETURN(auto client, s3_client(url, clock));
    return S3Store::create(std::move(client), marker, clock);
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  return DirectoryStore::create(path, marker, clock);
}

Result<std::unique_ptr<ObjectStore>> open_store(std::string_view url, std::string_view marker, const Clock& clock) {
  if (is_s3(url)) {
    ASSIGN_OR_RETURN(auto client, s3_client(url, clock));
    return S3Store::open(std::move(client), marker, clock);
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  return DirectoryStore::open(path, marker, clock);
}

Result<std::unique_ptr<ObjectStore>> resume_store(std::string_view url, std::string_view marker, const Clock& clock) {
  if (is_s3(url)) {
    ASSIGN_OR_RETURN(auto client, s3_client(url, clock));
    return S3Store::resume(std::move(client), marker, clock);
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  return DirectoryStore::resume(path, marker);
}

Result<std::optional<Bytes>> read_store_marker(std::string_view url) {
  if (is_s3(url)) {
    SystemClock clock;
    ASSIGN_OR_RETURN(auto client, s3_client(url, clock));
    return S3Store::read_marker(std::move(client), clock);
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  return DirectoryStore::read_marker(path);
}

Status change_store_marker(std::string_view url, std::string_view from, std::string_view to, const Clock& clock) {
  ASSIGN_OR_RETURN(const std::optional<Bytes> present, read_store_marker(url));
  if (present == to) return {};
  if (is_s3(url)) {
    ASSIGN_OR_RETURN(auto client, s3_client(url, clock));
    ASSIGN_OR_RETURN(auto store, S3Store::open(std::move(client), from, clock));
    return store->change_marker(to);
  }
  ASSIGN_OR_RETURN(std::string path, store_path(url));
  ASSIGN_OR_RETURN(auto store, DirectoryStore::open(path, from, clock));
  return store->change_marker(to);
}

}  // namespace weir::object
