#include "sandbox/mounts.hpp"

#include <fcntl.h>
#include <linux/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <filesystem>

#include "sandbox/unavailable.hpp"
#include "system/descriptor.hpp"
#include "system/error.hpp"

// glibc 2.36 has these too, in a header that clashes with linux/mount.h.
extern "C" int mount(const char*, const char*, const char*, unsigned long, const void*) noexcept;
extern "C" int umount2(const char*, int) noexcept;
namespace lab::sandbox {
namespace {

using sys::check;

constexpr unsigned long kQuiet = MS_NOSUID | MS_NODEV | MS_NOEXEC;
constexpr int kDetach = 2;  // MNT_DETACH, of glibc's header

void mount_fresh(const char* type, const char* target, unsigned long flags, const char* options = nullptr) {
  if (::mount(type, target, type, flags, options) == -1) throw_no_rights(errno, target);
}

// A mount of what `path` shows, attached nowhere yet. Recursive: mounts that came from the caller's namespace are
// locked together, and a part of them alone is refused.
sys::Descriptor pick(const std::string& path) {
  const auto flags = OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | static_cast<unsigned>(AT_RECURSIVE);
  return sys::Descriptor(static_cast<int>(check(::syscall(SYS_open_tree, AT_FDCWD, path.c_str(), flags), path)));
}

void place(const sys::Descriptor& picked, const std::string& path) {
  check(::syscall(SYS_move_mount, picked.get(), "", AT_FDCWD, path.c_str(), MOVE_MOUNT_F_EMPTY_PATH), path);
}

struct Picked {
  std::string path;
  sys::Descriptor tree;
};

std::vector<Picked> pick_beneath_tmp(const std::vector<std::string>& visible) {
  std::vector<Picked> picked;
  for (const auto& folder : visible) {
    std::error_code unused;
    const auto path = std::filesystem::canonical(folder, unused).string();
    if (path.starts_with("/tmp/")) picked.push_back({path, pick(path)});
  }
  return picked;
}

bool is_or_is_beneath_tmp(const std::filesystem::path& folder) {
  return folder == "/tmp" || folder.string().starts_with("/tmp/");
}

bool is_tmp(const std::string& folder) {
  std::error_code unused;
  return std::filesystem::canonical(folder, unused) == "/tmp";
}

// /tmp as the caller sees it, with everything that is written staying in the sandbox (kernel docs,
// filesystems/overlayfs). The thread is in the caller's /tmp. False where this kernel or mounts beneath /tmp don't
// allow it.
bool overlay_tmp() {
  mount_fresh("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=755");
  check(::mkdir("/tmp/upper", 0), "/tmp/upper");
  check(::chmod("/tmp/upper", 01777), "/tmp/upper");
  check(::mkdir("/tmp/work", 0700), "/tmp/work");
  constexpr const char* kLayers = "lowerdir=.,upperdir=/tmp/upper,workdir=/tmp/work,userxattr";
  if (::mount("overlay", "/tmp", "overlay", MS_NOSUID | MS_NODEV, kLayers) == 0) return true;
  check(::umount2("/tmp", kDetach), "/tmp");
  return false;
}

// Empty and private, but for the visible folders. Where one of them is /tmp itself, it is seen through an overlay;
// where there can be none it is the caller's own, which parallel runs then share.
void mount_tmp(const std::vector<std::string>& visible) {
  const auto picked = pick_beneath_tmp(visible);
  std::error_code gone;
  const auto here = std::filesystem::current_path(gone);
  const bool shared = std::any_of(visible.begin(), visible.end(), is_tmp);
  if (shared) check(::chdir("/tmp"), "/tmp");
  if (!shared) mount_fresh("tmpfs", "/tmp", MS_NOSUID | MS_NODEV, "mode=1777");
  const bool own = !shared || overlay_tmp();
  for (const auto& one : picked) {
    if (!own) break;
    std::filesystem::create_directories(one.path);
    place(one.tree, one.path);
  }
  // The working folder of the process is still the one below the new mount.
  const bool moved = shared || is_or_is_beneath_tmp(here);
  if (!gone && moved && ::chdir(here.c_str()) == -1) check(::chdir("/"), "/");
}

void mount_sys() {
  if (::mount("sysfs", "/sys", "sysfs", kQuiet | MS_RDONLY, nullptr) == 0) return;
  // Refused where the caller's own /sys is covered in part: then that one, read-only, with the caller's links in it.
  mount_attr read_only{};
  read_only.attr_set = MOUNT_ATTR_RDONLY;
  check(::syscall(SYS_mount_setattr, AT_FDCWD, "/sys", AT_RECURSIVE, &read_only, sizeof read_only), "/sys read-only");
}

void link_to(const char* target, const char* path) { check(::symlink(target, path), path); }

void mount_dev() {
  std::vector<Picked> nodes;
  for (const char* name : {"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"})
    if (::access(name, F_OK) == 0) nodes.push_back({name, pick(name)});
  mount_fresh("tmpfs", "/dev", MS_NOSUID | MS_NOEXEC, "mode=755");
  for (const auto& node : nodes) {
    const sys::Descriptor spot(check(::open(node.path.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC, 0644), node.path));
    place(node.tree, node.path);
  }
  check(::mkdir("/dev/pts", 0755), "/dev/pts");
  mount_fresh("devpts", "/dev/pts", MS_NOSUID | MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620");
  check(::mkdir("/dev/shm", 0), "/dev/shm");
  check(::chmod("/dev/shm", 01777), "/dev/shm");
  link_to("pts/ptmx", "/dev/ptmx");
  link_to("/proc/self/fd", "/dev/fd");
  link_to("/proc/self/fd/0", "/dev/stdin");
  link_to("/proc/self/fd/1", "/dev/stdout");
  link_to("/proc/self/fd/2", "/dev/stderr");
}

}  // namespace

void mount_own_proc_and_tmp(const std::vector<std::string>& visible) {
  // Nothing of what follows may travel back to the caller's namespace.
  if (::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == -1) throw_no_rights(errno, "/");
  mount_fresh("proc", "/proc", kQuiet);
  mount_tmp(visible);
}

void mount_for_programs() {
  mount_sys();
  mount_dev();
}

}  // namespace lab::sandbox
