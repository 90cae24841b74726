#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>

#include "world.h"

namespace weir::exerciser {
namespace {

// A time that both sides took from the clock, one after the other on a busy machine.
constexpr int64_t kSameMomentS = 120;

bool same_moment(const timespec& left, const timespec& right) {
  return std::abs(left.tv_sec - right.tv_sec) <= kSameMomentS;
}

}  // namespace

World::Known* World::known_at(const std::string& name, bool follow) {
  struct stat status {};
  const std::string plain = path(kPlain, name);
  if ((follow ? stat(plain.c_str(), &status) : lstat(plain.c_str(), &status)) != 0) return nullptr;
  const auto found = known_.find(status.st_ino);
  return S_ISREG(status.st_mode) && found != known_.end() ? &found->second : nullptr;
}

void World::remember(int plain_fd, int weir_fd, std::shared_ptr<Content> content) {
  struct stat plain {};
  struct stat weir {};
  expect(fstat(plain_fd, &plain) == 0 && fstat(weir_fd, &weir) == 0, "fstat of a new file fails");
  known_[plain.st_ino] = {std::move(content), weir.st_ino};
}

void World::forget_if_last(const struct stat& plain) {
  if (S_ISREG(plain.st_mode) && plain.st_nlink == 1) known_.erase(plain.st_ino);
}

void World::compare_status(const struct stat& weir, const struct stat& plain, const Content* content) {
  const auto same = [&](const char* what, auto left, auto right) {
    if (left != right) differ(fmt::format("{} is {} on Weir, {} on the plain disk", what, left, right));
  };
  same("mode", weir.st_mode, plain.st_mode);
  same("nlink", weir.st_nlink, plain.st_nlink);
  same("uid", weir.st_uid, plain.st_uid);
  same("gid", weir.st_gid, plain.st_gid);
  if (!S_ISDIR(plain.st_mode)) same("size", weir.st_size, plain.st_size);
  if (content != nullptr) {
    same("size by the model", weir.st_size, static_cast<off_t>(content->size()));
    const auto found = known_.find(plain.st_ino);
    if (found != known_.end()) same("inode", weir.st_ino, found->second.weir_inode);
  }
  if (content != nullptr && !content->times_known()) return;
  if (!same_moment(weir.st_mtim, plain.st_mtim)) same("mtime", weir.st_mtim.tv_sec, plain.st_mtim.tv_sec);
  if (!same_moment(weir.st_ctim, plain.st_ctim)) same("ctime", weir.st_ctim.tv_sec, plain.st_ctim.tv_sec);
}

}  // namespace weir::exerciser
