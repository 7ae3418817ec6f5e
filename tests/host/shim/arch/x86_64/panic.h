/* Host stand-in: see shim.h. */
#ifndef ARCH_PANIC_H
#define ARCH_PANIC_H
_Noreturn void panic(const char *fmt, ...)
	__attribute__((format(printf, 1, 2)));
#undef assert
#define assert(x) \
	((x) ? (void)0 : panic("%s:%d: violated: %s", __FILE__, __LINE__, #x))
#endif
