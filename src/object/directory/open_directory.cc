#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/log.h"
#include "object/directory/directory_store.h"
#include "object/directory/layout.h"

namespace weir::object {

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::create(const std::string& path, std::string_view marker,
                                                               const Clock& clock) {
  CHECK(!marker.empty() && marker.size() < limits::kStoreMarkerBytes);
  TRY(make_directories_durably(path));
  ASSIGN_OR_RETURN(FileDescriptor root, io::open_file(path, O_RDONLY | O_DIRECTORY));
  ASSIGN_OR_RETURN(std::optional<Bytes> found, read_marker_below(root.get()));
  if (found && *found != marker) {
    return error(Code::kExists, "{} is the object store of another volume: its marker is '{}'", path,
                 found->substr(0, found->find_last_not_of('\n') + 1));
  }
  if (!found) {
    TRY(check_unused(root.get(), path));
    TRY(io::write_file_durably(fmt::format("{}/{}", path, kMarkerFile), marker));
  }
  return open(path, marker, clock);
}

Result<std::unique_ptr<DirectoryStore>> DirectoryStore::open(const std::string& path, std::string_view marker,
                                                             const Clock& clock) {
  std::unique_ptr<DirectoryStore> store(new DirectoryStore(path, marker));
  ASSIGN_OR_RETURN(FileDescriptor root, store->enter());
  if (Status cleaned = remove_old_temporaries(root.get(), clock); !cleaned) {
    log::warning("old temporary files of {} stay where they are: {}", store->describe(), cleaned.error().what);
  }
  return store;
}

std::unique_ptr<DirectoryStore> DirectoryStore::resume(const std::string& path, std::string_view marker) {
  return std::unique_ptr<DirectoryStore>(new DirectoryStore(path, marker));
}

Result<std::optional<Bytes>> DirectoryStore::read_marker(const std::string& path) {
  auto root = io::open_file(path, O_RDONLY | O_DIRECTORY);
  if (!root && root.error().code == Code::kNotFound) return std::nullopt;
  if (!root) return error(root.error().code, "{}", root.error().what);
  return read_marker_below(root->get());
}

Status DirectoryStore::change_marker(std::string_view marker) {
  TRY(enter());
  return io::write_file_durably(fmt::format("{}/{}", path_, kMarkerFile), marker);
}

}  // namespace weir::object
