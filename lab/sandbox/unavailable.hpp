// Why namespaces can't be had on this machine, and what to type.
#pragma once

namespace lab::sandbox {

// `error`: errno of clone3. Throws Unavailable where the machine forbids or lacks namespaces, else KernelError.
[[noreturn]] void throw_no_namespaces(int error);

// A mount that the namespace's own capabilities should allow was refused: AppArmor's restriction of Ubuntu lets the
// namespace be made and takes its capabilities away. Throws Unavailable where that, or an over-mounted /proc, is the
// reason, else KernelError(error, object).
[[noreturn]] void throw_no_rights(int error, const char* object);

}  // namespace lab::sandbox
