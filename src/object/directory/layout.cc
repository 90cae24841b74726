#include "object/directory/layout.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <vector>

#include "base/io.h"
#include "base/limits.h"
#include "object/directory/store_file.h"

namespace weir::object {

Result<std::optional<Bytes>> read_marker_below(int root) {
  auto fd = open_below(root, kMarkerFile, O_RDONLY);
  if (!fd && fd.error().code == Code::kNotFound) return std::nullopt;
  if (!fd) return error(fd.error().code, "{}", fd.error().what);
  Bytes marker(limits::kStoreMarkerBytes, '\0');
  ASSIGN_OR_RETURN(size_t got, io::read_at(fd->get(), marker.data(), marker.size(), 0));
  marker.resize(got);
  return marker;
}

Status check_marker(int root, const std::string& path, std::string_view marker) {
  auto found = read_marker_below(root);
  if (!found) {
    return error(found.error().code, "the object store's marker {}/{} cannot be read: {}", path, kMarkerFile,
                 found.error().what);
  }
  if (!found->has_value()) {
    return error(Code::kUnavailable, "the object store's directory {} has no marker file {}; is its disk mounted?",
                 path, kMarkerFile);
  }
  if (**found != marker) {
    return error(Code::kInvalid, "the object store in {} belongs to another volume: its marker is '{}', not '{}'", path,
                 **found, marker);
  }
  return {};
}

Status check_unused(int root, const std::string& path) {
  ASSIGN_OR_RETURN(DirectoryStream stream, open_stream_below(root, "."));
  while (true) {
    ASSIGN_OR_RETURN(const dirent* entry, next_entry(stream.get()));
    if (entry == nullptr) return {};
    std::string_view name = entry->d_name;
    // What mkfs makes, and what a create() that died may leave.
    if (name == "lost+found" || name.starts_with(fmt::format("{}.", kMarkerFile))) continue;
    return error(Code::kNotEmpty,
                 "{} cannot become an object store: it has {} in it; name an empty or absent directory", path, name);
  }
}

Status make_directories_durably(const std::string& path) {
  std::vector<std::filesystem::path> made;
  std::filesystem::path directory = path;
  while (::access(directory.c_str(), F_OK) != 0 && directory.has_relative_path()) {
    made.push_back(directory);
    directory = directory.parent_path();
  }
  TRY(io::make_directories(path));
  for (const std::filesystem::path& name : made) TRY(io::sync_directory(name.parent_path()));
  return {};
}

Status remove_old_temporaries(int root, const Clock& clock) {
  auto stream = open_stream_below(root, kTemporaryDirectory);
  if (!stream && stream.error().code == Code::kNotFound) return {};
  if (!stream) return error(stream.error().code, "{}", stream.error().what);
  int64_t oldest_ns = clock.realtime_ns() - limits::kStoreTemporaryAgeMs * 1'000'000;
  while (true) {
    ASSIGN_OR_RETURN(const dirent* entry, next_entry(stream->get()));
    if (entry == nullptr) return {};
    struct stat attributes {};
    int directory = ::dirfd(stream->get());
    if (::fstatat(directory, entry->d_name, &attributes, AT_SYMLINK_NOFOLLOW) != 0) continue;
    if (S_ISREG(attributes.st_mode) && info_of(attributes).modified_ns < oldest_ns)
      ::unlinkat(directory, entry->d_name, 0);
  }
}

ObjectInfo info_of(const struct stat& attributes) {
  return ObjectInfo{static_cast<uint64_t>(attributes.st_size),
                    attributes.st_mtim.tv_sec * 1'000'000'000 + attributes.st_mtim.tv_nsec};
}

}  // namespace weir::object
