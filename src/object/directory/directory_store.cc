#include "object/directory/directory_store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/check.h"
#include "base/io.h"
#include "base/limits.h"
#include "base/random.h"
#include "object/directory/layout.h"
#include "object/directory/list_objects.h"
#include "object/directory/store_file.h"
#include "object/object_name.h"

namespace weir::object {

DirectoryStore::DirectoryStore(std::string path, std::string_view marker)
    : path_(std::move(path)), marker_(marker), instance_(SystemRandom().next_u64()) {}

std::string DirectoryStore::describe() const { return fmt::format("directory {}", path_); }

std::string DirectoryStore::object_path(std::string_view name) const {
  return fmt::format("{}/{}/{}", path_, kObjectsDirectory, name);
}

Result<FileDescriptor> DirectoryStore::enter() const {
  FileDescriptor root(::open(path_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!root.valid()) {
    return error(Code::kUnavailable, "the object store's directory {} cannot be opened ({}); is its disk mounted?",
                 path_, std::strerror(errno));
  }
  TRY(check_marker(root.get(), path_, marker_));
  return root;
}

Result<size_t> DirectoryStore::get_into(std::string_view name, uint64_t offset, std::span<char> buffer) {
  TRY(check_object_name(name));
  FileDescriptor fd(::open(object_path(name).c_str(), O_RDONLY | O_CLOEXEC));
  int failure = fd.valid() ? 0 : errno;
  if (failure == ENOENT || failure == ENOTDIR) {
    TRY(enter());
    return error(Code::kNotFound, "there is no object {} in {}", name, describe());
  }
  if (failure != 0) {
    return error(code_of_store_errno(failure), "open {}: {}", object_path(name), std::strerror(failure));
  }
  auto got = io::read_at(fd.get(), buffer.data(), buffer.size(), offset);
  if (got) return *got;
  if (got.error().code == Code::kIsDirectory)
    return error(Code::kNotFound, "there is no object {} in {}", name, describe());
  TRY(enter());
  return error(got.error().code, "{}: {}", object_path(name), got.error().what);
}

Result<std::optional<ObjectInfo>> DirectoryStore::head(std::string_view name) {
  TRY(check_object_name(name));
  struct stat attributes {};
  if (::stat(object_path(name).c_str(), &attributes) != 0) {
    if (errno != ENOENT && errno != ENOTDIR) {
      return error(code_of_store_errno(errno), "stat {}: {}", object_path(name), std::strerror(errno));
    }
    TRY(enter());
    return std::nullopt;
  }
  if (!S_ISREG(attributes.st_mode)) return std::nullopt;
  return info_of(attributes);
}

Status DirectoryStore::put(std::string_view name, const Payload& payload) {
  TRY(check_object_name(name));
  CHECK(payload.bytes().size() <= limits::kObjectBytes);
  ASSIGN_OR_RETURN(FileDescriptor root, enter());
  Status done = put_below(root.get(), name, payload.bytes());
  if (!done) return error(done.error().code, "put {} into {}: {}", name, describe(), done.error().what);
  return {};
}

Status DirectoryStore::put_below(int root, std::string_view name, std::string_view bytes) {
  ASSIGN_OR_RETURN(std::string temporary, write_temporary(root, bytes));
  Status moved = move_to(root, temporary, fmt::format("{}/{}", kObjectsDirectory, name));
  if (!moved) ::unlinkat(root, temporary.c_str(), 0);
  return moved;
}

Result<FileDescriptor> DirectoryStore::make_temporary(int root, const std::string& path) {
  // Somebody may remove directories that are empty at the moment: make them again, a few times at most.
  for (int attempt = 0; attempt < limits::kStoreAttempts; ++attempt) {
    auto fd = open_below(root, path, O_WRONLY | O_CREAT | O_EXCL);
    if (fd || fd.error().code != Code::kNotFound) return fd;
    if (::mkdirat(root, kTemporaryDirectory, 0700) != 0 && errno != EEXIST) {
      return error(code_of_store_errno(errno), "make directory {}: {}", kTemporaryDirectory, std::strerror(errno));
    }
  }
  return error(Code::kUnavailable, "directory {} vanishes as fast as it is made", kTemporaryDirectory);
}

Result<std::string> DirectoryStore::write_temporary(int root, std::string_view bytes) {
  std::string path = fmt::format("{}/{:016x}-{}", kTemporaryDirectory, instance_, next_temporary_++);
  ASSIGN_OR_RETURN(FileDescriptor fd, make_temporary(root, path));
  Status written = io::write_at(fd.get(), bytes, 0);
  if (written) written = io::sync_data(fd.get(), path);
  if (written) return path;
  ::unlinkat(root, path.c_str(), 0);
  return error(written.error().code, "{}", written.error().what);
}

Status DirectoryStore::move_to(int root, const std::string& temporary, const std::string& place) {
  for (int attempt = 0; attempt < limits::kStoreAttempts; ++attempt) {
    Status made = make_parents(root, place);
    if (made) {
      if (::renameat(root, temporary.c_str(), root, place.c_str()) == 0) return sync_below(root, parent_of(place));
      made = error(code_of_store_errno(errno), "rename {} to {}: {}", temporary, place, std::strerror(errno));
    }
    if (made.error().code != Code::kNotFound) return made;
    forget_parents(place);
  }
  return error(Code::kUnavailable, "the directories above {} vanish as fast as they are made", place);
}

Status DirectoryStore::make_parents(int root, const std::string& place) {
  for (size_t slash = place.find('/'); slash != std::string::npos; slash = place.find('/', slash + 1)) {
    std::string directory = place.substr(0, slash);
    {
      MutexLock lock(mutex_);
      if (durable_directories_.contains(directory)) continue;
    }
    if (::mkdirat(root, directory.c_str(), 0700) != 0 && errno != EEXIST) {
      return error(code_of_store_errno(errno), "make directory {}: {}", directory, std::strerror(errno));
    }
    // Also when it was there: another writer may have made it and not come to its sync yet.
    TRY(sync_below(root, parent_of(directory)));
    MutexLock lock(mutex_);
    durable_directories_.insert(directory);
  }
  return {};
}

void DirectoryStore::forget_parents(const std::string& place) {
  MutexLock lock(mutex_);
  for (size_t slash = place.find('/'); slash != std::string::npos; slash = place.find('/', slash + 1)) {
    durable_directories_.erase(place.substr(0, slash));
  }
}

Result<ListPage> DirectoryStore::list(std::string_view prefix, std::string_view after, size_t limit) {
  CHECK(limit > 0 && limit <= limits::kListedObjects);
  ASSIGN_OR_RETURN(FileDescriptor root, enter());
  return list_objects(root.get(), prefix, after, limit);
}

Status DirectoryStore::remove(std::string_view name) {
  TRY(check_object_name(name));
  ASSIGN_OR_RETURN(FileDescriptor root, enter());
  std::string path = fmt::format("{}/{}", kObjectsDirectory, name);
  if (::unlinkat(root.get(), path.c_str(), 0) == 0) {
    // Who was told that it is gone forgets its name.
    Status synced = sync_below(root.get(), parent_of(path));
    return !synced && synced.error().code == Code::kNotFound ? Status() : synced;
  }
  bool absent = errno == ENOENT || errno == ENOTDIR || errno == EISDIR;
  if (absent) return {};
  return error(code_of_store_errno(errno), "remove {}/{}: {}", path_, path, std::strerror(errno));
}

Status DirectoryStore::remove_all(std::span<const std::string> names) {
  for (const std::string& name : names) TRY(remove(name));
  return {};
}

}  // namespace weir::object
