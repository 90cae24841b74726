#include "bench/place/place.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/io.h"

namespace weir::bench {

namespace {

constexpr const char* kDropCaches = "/proc/sys/vm/drop_caches";

Status drop(std::string_view what) {
  ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(kDropCaches, O_WRONLY));
  if (::write(fd.get(), what.data(), what.size()) < 0) return errno_error(errno, "drop caches");
  return {};
}

}  // namespace

Status Place::settle() {
  ASSIGN_OR_RETURN(const FileDescriptor fd, io::open_file(directory_, O_RDONLY | O_DIRECTORY));
  if (::syncfs(fd.get()) != 0) return errno_error(errno, "sync " + directory_);
  return {};
}

Status Place::refill(const std::string& /*path*/) { return {}; }

Status Place::evict(const std::string& /*path*/) { return {}; }

bool can_drop_caches() { return ::access(kDropCaches, W_OK) == 0; }

Status drop_pages() {
  ::sync();
  return drop("1");
}

Status drop_names() { return drop("2"); }

}  // namespace weir::bench
