// What only a look at the files shows: the part of fsck about images.
#include <sys/stat.h>

#include "base/io.h"
#include "cache/state.h"

namespace weir::cache {

Status Cache::check(bool repair, const std::function<void(const CacheProblem&)>& report) {
  return state_->check_image_files(repair, report);
}

Status Cache::State::check_image_files(bool repair, const std::function<void(const CacheProblem&)>& report) {
  for (unsigned fan = 0; fan < 256; ++fan) {
    const std::string path = layout.images(static_cast<uint8_t>(fan));
    ASSIGN_OR_RETURN(std::vector<std::string> names, list_directory(path));
    for (const std::string& name : names) TRY(check_image_file(path + "/" + name, name, repair, report));
  }
  return {};
}

Status Cache::State::check_image_file(const std::string& path, const std::string& name, bool repair,
                                      const std::function<void(const CacheProblem&)>& report) {
  const std::optional<ImageFileName> file = parse_image_name(name);
  if (!file) {
    if (repair) TRY(io::remove_file(path));
    report({"stray_image_file", fmt::format("{} is no image", path), true, repair});
    return {};
  }
  MutexLock lock(locks.of(file->id.bytes()));
  struct stat attributes {};
  if (::stat(path.c_str(), &attributes) != 0) return {};  // it went, or has got its final name
  const std::optional<ImageEntry> entry = images.find(file->id);
  if (!entry) {
    if (repair) TRY(io::remove_file(path));
    report(
        {"stray_image_file", fmt::format("{} takes room, and the cache's index does not know it", path), true, repair});
    return {};
  }
  // An incomplete image gets its size when it is opened.
  if (!file->final || static_cast<uint64_t>(attributes.st_size) == entry->size) return {};
  const bool droppable = !entry->open && !entry->unstored;
  if (repair && droppable) TRY(evict_locked(file->id));
  report({"wrong_image_size",
          fmt::format("{} has {} bytes instead of {}{}", path, attributes.st_size, entry->size,
                      entry->unstored ? ", and some of them are not stored" : ""),
          droppable, repair && droppable});
  return {};
}

}  // namespace weir::cache
