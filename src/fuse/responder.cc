#include "fuse/responder.h"

#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/log.h"

namespace weir::fuse {

int errno_of_code(Code code) {
  switch (code) {
    case Code::kNotFound: return ENOENT;
    case Code::kExists: return EEXIST;
    case Code::kNotDirectory: return ENOTDIR;
    case Code::kIsDirectory: return EISDIR;
    case Code::kNotEmpty: return ENOTEMPTY;
    case Code::kPermission: return EPERM;
    case Code::kAccess: return EACCES;
    case Code::kInvalid: return EINVAL;
    case Code::kNameTooLong: return ENAMETOOLONG;
    case Code::kTooLarge: return EFBIG;
    case Code::kTooManyLinks: return EMLINK;
    case Code::kNoSpace: return ENOSPC;
    case Code::kReadOnly: return EROFS;
    case Code::kNoAttribute: return ENODATA;
    case Code::kRange: return ERANGE;
    case Code::kUnsupported: return EOPNOTSUPP;
    case Code::kNoSystemCall: return ENOSYS;
    case Code::kStale: return ESTALE;
    case Code::kBusy: return EBUSY;
    case Code::kTextBusy: return ETXTBSY;
    case Code::kWouldBlock: return EAGAIN;
    case Code::kDeadlock: return EDEADLK;
    case Code::kNoLocks: return ENOLCK;
    case Code::kInterrupted: return EINTR;
    case Code::kNoDevice: return ENXIO;
    case Code::kBadHandle: return EBADF;
    case Code::kCrossDevice: return EXDEV;
    case Code::kConflict:
    case Code::kMaybeCommitted:
    case Code::kCorrupt:
    case Code::kUnavailable:
    case Code::kOutOfReach:
    case Code::kThrottled:
    case Code::kTimeout:
    case Code::kFenced:
    case Code::kIo:
    case Code::kInternal: return EIO;
  }
  return EIO;
}

namespace {

/// Requests that go by an inode's number alone. When it is gone, another node may have replaced it under the name that
/// the caller used: that one is still there. ESTALE makes the kernel look the name up again, once.
bool is_about_inode(uint32_t opcode) {
  switch (opcode) {
    case FUSE_GETATTR:
    case FUSE_SETATTR:
    case FUSE_READLINK:
    case FUSE_OPENDIR:
    case FUSE_GETXATTR:
    case FUSE_SETXATTR:
    case FUSE_LISTXATTR:
    case FUSE_REMOVEXATTR: return true;
    default: return false;
  }
}

}  // namespace

Interruption::Interruption(std::shared_ptr<ReplyPort> port, const ReplyAddress& address)
    : port_(std::move(port)), address_(address) {}

bool Interruption::raised() const { return port_->buffers().is_interrupted(address_.buffer, address_.unique); }

Responder::Responder(std::shared_ptr<ReplyPort> port, const ReplyAddress& address)
    : port_(std::move(port)), address_(address) {}

Responder::Responder(Responder&& other) noexcept : port_(std::move(other.port_)), address_(other.address_) {}

Responder& Responder::operator=(Responder&& other) noexcept {
  if (this != &other) {
    abandon();
    port_ = std::move(other.port_);
    address_ = other.address_;
  }
  return *this;
}

Responder::~Responder() { abandon(); }

std::shared_ptr<ReplyPort> Responder::take() {
  CHECK(pending());
  return std::exchange(port_, nullptr);
}

void Responder::abandon() {
  if (!pending()) return;
  if (address_.opcode == FUSE_FORGET || address_.opcode == FUSE_BATCH_FORGET) return none();
  log::error("{} was left without an answer; its caller gets EIO", opcode_name(address_.opcode));
  take()->reply(address_, EIO, {});
}

void Responder::ok(std::string_view payload) {
  const iovec piece{const_cast<char*>(payload.data()), payload.size()};
  take()->reply(address_, 0, {&piece, payload.empty() ? size_t{0} : size_t{1}});
}

void Responder::ok(std::span<const iovec> pieces) { take()->reply(address_, 0, pieces); }

void Responder::fail(const Error& error) {
  CHECK(pending());
  if (error.code == Code::kOutOfReach && port_->postpone(address_)) {
    take();
    return;
  }
  if (errno_of_code(error.code) == EIO) {
    log::error("{} fails with EIO: {} ({})", opcode_name(address_.opcode), error.what, code_name(error.code));
  }
  fail(error.code == Code::kNotFound && is_about_inode(address_.opcode) ? Code::kStale : error.code);
}

void Responder::fail(Code code) { fail_with_errno(errno_of_code(code)); }

void Responder::fail_with_errno(int error_number) { take()->reply(address_, error_number, {}); }

void Responder::none() { take()->no_reply(address_); }

}  // namespace weir::fuse
