"""Who calls: principals and the keys of external programs.

`principal` who somebody is and what they may · `keys` making, checking, revoking keys ·
`key_file` how they lie on disk. Not here: HTTP headers, rate limits and Jupyter's own users
(`server`), projects (`store`).
"""
