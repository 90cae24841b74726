#include <sys/xattr.h>

#include "fuse/ops/ops.h"

namespace weir::fuse::ops {

namespace {

/// Size 0 asks how long the value is; a buffer too short is Range.
void answer_sized(Responder responder, std::string_view value, uint32_t buffer_bytes) {
  if (buffer_bytes == 0)
    return answer_with(std::move(responder), fuse_getxattr_out{static_cast<uint32_t>(value.size()), 0});
  if (value.size() > buffer_bytes) return responder.fail(Code::kRange);
  responder.ok(value);
}

Result<meta::XattrMode> mode_of(uint32_t flags) {
  switch (flags) {
    case 0: return meta::XattrMode::kAny;
    case XATTR_CREATE: return meta::XattrMode::kCreate;
    case XATTR_REPLACE: return meta::XattrMode::kReplace;
    default: return error(Code::kInvalid, "{} are no flags of setxattr", flags);
  }
}

}  // namespace

void get_xattr(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_getxattr_in>();
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const auto value = service.filesystem.get_xattr(node_of(request), name);
  if (!value) return responder.fail(value.error());
  answer_sized(std::move(responder), *value, in.size);
}

void list_xattrs(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const auto in = reader.take<fuse_getxattr_in>();
  if (reader.failed()) return answer_malformed(std::move(responder));
  const auto names = service.filesystem.list_xattrs(node_of(request));
  if (!names) return responder.fail(names.error());
  std::string joined;
  for (const std::string& name : *names) joined.append(name).push_back('\0');
  answer_sized(std::move(responder), joined, in.size);
}

void set_xattr(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  fuse_setxattr_in in{};
  if (service.negotiated.has(FUSE_SETXATTR_EXT)) {
    in = reader.take<fuse_setxattr_in>();
  } else {
    in.size = reader.take<uint32_t>();
    in.flags = reader.take<uint32_t>();
  }
  const std::string_view name = reader.name();
  const std::string_view value = reader.bytes(in.size);
  if (reader.failed()) return answer_malformed(std::move(responder));
  const auto mode = mode_of(in.flags);
  if (!mode) return responder.fail(mode.error());
  const bool clear_setgid = (in.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) != 0;
  answer(std::move(responder),
         service.filesystem.set_xattr(caller_of(request), node_of(request), name, value, *mode, clear_setgid));
}

void remove_xattr(Service& service, const Request& request, Responder responder) {
  BodyReader reader(request.body);
  const std::string_view name = reader.name();
  if (reader.failed()) return answer_malformed(std::move(responder));
  answer(std::move(responder), service.filesystem.remove_xattr(caller_of(request), node_of(request), name));
}

}  // namespace weir::fuse::ops
